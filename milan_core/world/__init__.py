"""The embedded world: composed scenes with exact ground truth, a lexicon, and annotators."""
