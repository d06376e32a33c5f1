"""Data sets that networks draw."""
