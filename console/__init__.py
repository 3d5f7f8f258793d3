"""The web console and the command line: parse, call, render."""
