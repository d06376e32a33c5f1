# What the rules of rerank_study wait for and are given.


def rerank_study_options(wildcards):
    """Canonical JSON of the study's settings, with those that it shares with the scores."""
    study = CONFIG.rerank_study.model_dump(exclude={"models", "prefixes"})
    study |= CONFIG.rerank_study.model_dump(include={"prefixes"}, exclude_defaults=True)
    scores = CONFIG.generalization.model_dump(include={"bertscore_layer", "bootstrap"})
    return canonical_json({**study, **scores, "length": CONFIG.describe.length})
