"""The demo: a shop that fails on a local AWS, and the console over it, spoken to by its command line only."""
