"""Faults that redrives must survive: whatever fails, none is lost, none is claimed twice, and nothing is guessed."""
