"""Controls of the scores: baselines without evidence, masks, the weight of p(d), annotators."""
