"""Variants: descriptions by other captioners, priors and re-rankers, scored."""
