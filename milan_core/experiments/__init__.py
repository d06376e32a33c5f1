"""Scores, baselines and experiments over tables of descriptions."""
