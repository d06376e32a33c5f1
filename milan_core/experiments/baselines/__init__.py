"""Baselines: other methods on the same units (Table 2)."""
