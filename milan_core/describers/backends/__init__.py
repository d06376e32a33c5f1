"""Other families of captioners, priors and re-rankers, from `transformers` checkpoints.

    from milan_core.describers.backends.causal_lm import CausalPrior
    from milan_core.describers.backends.image_to_text import ImageToText
    from milan_core.describers.backends.interface import Exemplars, pmi_describe

    captioner = ImageToText.load("models/blip-image-captioning-base")
    prior = CausalPrior.load("models/smollm2-135m")
    out = pmi_describe(captioner, prior, [Exemplars(images, masks)], temperature=0.2)

`interface` is what every family satisfies, `lstm` the published family behind it, `clip_rerank` a
second opinion on finished beams. Nothing is downloaded unless asked for, and no code that comes
with a checkpoint is ever run.
"""
