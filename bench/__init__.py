"""Every performance claim, as a ratio of two things run in turn in one run. `make bench` prints the table."""
