"""Training of the captioner and its language model on the annotated units of a split."""
