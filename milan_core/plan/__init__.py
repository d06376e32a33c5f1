"""Splits and trials, what a run needs, and how a configuration is read and checked."""
