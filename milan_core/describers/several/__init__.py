"""Several labels for a unit that responds to several things (specification S6)."""
