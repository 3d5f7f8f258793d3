"""The background work: the same use cases behind other doors."""
