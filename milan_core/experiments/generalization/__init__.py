"""Generalization: scores within, without and across networks (Table 3)."""
