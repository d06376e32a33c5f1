"""Results of several runs and seeds side by side, for `milan seeds`."""
