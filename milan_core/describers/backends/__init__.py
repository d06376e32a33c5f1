"""Parts of composed describers: proposers, priors and re-rankers from `transformers` checkpoints.

    proposer = ImageToText.load(ImageToTextOptions(family="image_to_text", source="models/blip"))
    prior = CausalPrior.load(CausalPriorOptions(family="causal_lm", source="models/smollm2-135m"))
    decoded = pmi_describe(proposer, prior, [UnitImages(images, masks)], BeamOptions())

`interface` holds the protocols of the parts, `lstm` makes the captioner trained here one of them,
`clip_rerank` re-ranks finished beams. Nothing is downloaded unless asked for, and no code that
comes with a checkpoint is ever run.
"""
