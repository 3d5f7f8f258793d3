"""The commands of `redrive`, one module for those that belong together."""
