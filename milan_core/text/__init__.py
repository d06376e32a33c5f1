"""Words: the tokeniser and vocabulary of the captioner, and measures over descriptions."""
