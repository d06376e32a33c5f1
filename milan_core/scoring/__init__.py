"""Scores of descriptions: unit tables, text metrics, intervals and trivial baselines."""
