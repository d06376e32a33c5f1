"""The embedded world: composed scenes with exact ground truth, its lexicon and annotators."""
