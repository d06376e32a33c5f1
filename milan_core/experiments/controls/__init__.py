"""What the scores rest on: baselines without evidence, masks, the weight of p(d), annotators."""
