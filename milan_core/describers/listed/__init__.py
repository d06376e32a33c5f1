"""Further describers that a configuration lists: own ones, and those that no other section runs."""
