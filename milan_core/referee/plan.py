"""The referee's jobs: which networks are scored, on which images, by which judge."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from milan_core.annotations.plan import networks
from milan_core.captioner.features.options import JobEncoder
from milan_core.config import Config
from milan_core.core.errors import UserError, unknown
from milan_core.core.options import narrowed
from milan_core.describers.abstention.options import ANSWERED
from milan_core.describers.listed.plan import listed_of, reads_judge
from milan_core.describers.plan import (
    judge_labels,
    judge_reranks,
    label_dataset,
    pooled,
    variants_of,
)
from milan_core.exemplars.options import Pool
from milan_core.exemplars.plan import heldout_choice, heldout_dataset
from milan_core.experiments.baselines.names import method_texts
from milan_core.experiments.baselines.plan import compared, labeled
from milan_core.images.kinds.composed import Composed
from milan_core.images.kinds.zoo import Zoo
from milan_core.networks.plan import job_network, trained_folder
from milan_core.plan.splits import annotated, primary_split, seeds
from milan_core.referee.options import (
    ALPHA,
    BoardOptions,
    JudgeOptions,
    MiniOptions,
    MiniTraining,
    ScoringOptions,
)
from milan_core.referee.section import CONTROL_NAMES

PUBLISHED = (50, 0.2)  # beams and lambda


def pools(config: Config) -> list[Pool]:
    """The pooling of a map to one number in the tables of held-out images."""
    return list(config.exemplars.table or ("max",))


def held_apart(config: Config) -> list[str]:
    """Networks whose descriptions are scored on a second data set."""
    return [name for name in candidates(config) if heldout_dataset(config, name)]


def candidates(config: Config) -> list[str]:
    """Networks that could be scored: described ones, and the one with random weights.

    The latter stands beside networks that are scored on the same images.
    """
    described = networks(config)
    random = config.referee.random
    if random is None:
        return described
    beside = any(
        scored_dataset(config, name) == scored_dataset(config, random) for name in described
    )
    return list(dict.fromkeys([*described, *([random] if beside else [])]))


def scored(config: Config) -> list[tuple[str, str]]:
    """Every (network, kind of judge) that has scores."""
    return [
        (model, judge.kind)
        for judge in config.referee.judges
        for model in candidates(config)
        if judges_network(config, judge, model)
    ]


def judges_network(config: Config, judge: JudgeOptions, model: str) -> bool:
    """Whether a judge can judge the images that score a network."""
    if not (heldout_dataset(config, model) or config.exemplars.table):
        return False
    spec = config.dataset_zoo[scored_dataset(config, model)]
    return spec.has_truth or judge.kind in ("dual_encoder", "verdict")


def scored_dataset(config: Config, model: str) -> str:
    """The data set whose images score a network, all of them or the part that is held out."""
    return heldout_dataset(config, model) or config.model_zoo[model].dataset


def scored_table(config: Config, model: str) -> str:
    """Activations on the images that score a network, below `<results>`."""
    folder = "referee" if heldout_dataset(config, model) else "exemplars"
    return f"{model}/{folder}/activations.safetensors"


def judge_options(config: Config, kind: str) -> JudgeOptions:
    """The options of the judge of that kind."""
    return next(judge for judge in config.referee.judges if judge.kind == kind)


def scoring_options(config: Config) -> ScoringOptions:
    """The settings of scoring; alpha is another one where it is chosen (`choosing`)."""
    spec = config.referee
    return ScoringOptions(
        alpha=ALPHA if spec.alpha is None else spec.alpha,
        resamples=spec.resamples,
        fewest=spec.fewest,
    )


def alpha_judge(config: Config) -> JudgeOptions | None:
    """The judge by which alpha is chosen: the first one; None where alpha is given."""
    judges = config.referee.judges
    return judges[0] if judges and config.referee.alpha is None else None


def choosing(config: Config) -> list[str]:
    """Networks whose descriptions choose alpha, on mined images that do not score.

    Nothing where alpha is given, or where every image with a table scores.
    """
    judge = alpha_judge(config)
    if judge is None or not config.exemplars.table:
        return []
    return [name for name in networks(config) if _chooses(config, judge, name)]


def _chooses(config: Config, judge: JudgeOptions, model: str) -> bool:
    mined = config.model_zoo[model].dataset
    looks = config.dataset_zoo[mined].has_truth or judge.kind in ("dual_encoder", "verdict")
    apart = heldout_dataset(config, model) is not None
    return looks and (apart or heldout_choice(config, model) == "split")


def lists_of(config: Config, model: str) -> dict[str, str]:
    """Weighted texts of a network by describer: files below `<results>`."""
    return {"linear": f"{model}/pool/linear.csv"} if pooled(config, model) else {}


def method_tables(config: Config, model: str) -> list[str]:
    """Files below `<results>` in which other describers speak of a network."""
    split = primary_split(config, model)
    seed = seeds(config, split)[0]
    tables = [f"{model}/describe/{split}/seed{seed}/baselines.csv"]
    if any(trial.test == model and trial.split == split for trial in compared(config)):
        tables.append(f"baselines/{split}/{model}/seed{seed}/units.csv")
    return tables


def has_truth(config: Config, model: str) -> bool:
    """Whether the concepts of a network's units are known from its exemplars."""
    return model in annotated(config)


def board_options(config: Config) -> BoardOptions:
    """Names of describers, for people, and the network with random weights."""
    spec = config.describe
    published = (spec.beam_size, spec.temperature) == PUBLISHED
    milan = "MILAN, as published" if published else "MILAN"
    answered = {ANSWERED: "pool and verify, answered only"}
    names = {**CONTROL_NAMES, **method_texts(), "milan": milan, **answered}
    return BoardOptions(names=names, random=config.referee.random or "")


def check_referee(config: Config) -> None:
    """Refuse a random network that does not exist, two judges of one kind, and labels that see.

    Labels of a list of concepts are drawn from all images of a data set, so it must not be the
    probe set of a network that holds some of it out.
    """
    for name in labeled(config) if config.baselines.methods else []:
        own = label_dataset(config, name) == config.model_zoo[name].dataset
        if own and heldout_choice(config, name) == "split":
            raise UserError(
                f"config: baselines.dataset: labels of {name!r} would be drawn from images that "
                "are held out to score them; name another data set here, a second one in "
                f"model_zoo.{name}.heldout, or give `none` there"
            )
    spec = config.referee
    if spec.random is not None and spec.random not in config.model_zoo:
        raise unknown("model", spec.random, config.model_zoo, "config: referee.random")
    kinds = [judge.kind for judge in spec.judges]
    if twice := sorted({kind for kind in kinds if kinds.count(kind) > 1}):
        raise UserError(f"config: referee.judges: {twice[0]} is given twice; give one of each kind")


def mini_judge(config: Config) -> MiniOptions | None:
    """The judge that is trained in this run; None where there is none."""
    found = [one for one in config.referee.judges if isinstance(one, MiniOptions)]
    return found[0] if found else None


def judge_folder(config: Config) -> str:
    """The folder of the judge that is trained: of the run in `trained` where it is there."""
    return trained_folder(config, "judge", "judge.json")


def mini_training(config: Config) -> MiniTraining:
    """The settings of its training."""
    chosen = mini_judge(config)
    return narrowed(chosen, MiniTraining) if chosen else MiniTraining()


def mini_encoder(config: Config) -> JobEncoder | None:
    """Its frozen network of images."""
    chosen = mini_judge(config)
    if chosen is None:
        return None
    return JobEncoder(model=job_network(config, chosen.encoder), layers=chosen.layers)


def check_judges(config: Config) -> None:
    """Refuse two mini judges, a mini judge of names that do not exist, and describers as judges."""
    where = "config: referee.judges"
    for judge in config.referee.judges:
        source = getattr(judge, "source", None)
        for describer, model in _describing_models(config):
            if source is not None and _same_model(source, model):
                raise UserError(
                    f"{where}: judge {judge.kind!r} and {describer} are the same model ({model}), "
                    "which would mark its own work; choose another judge"
                )
    kinds = [one.kind for one in config.referee.judges]
    if kinds.count("mini") > 1:
        raise UserError(f"{where}: {kinds.count('mini')} of kind mini; expected one at most")
    chosen = mini_judge(config)
    if chosen is None:
        return
    if chosen.dataset not in config.dataset_zoo:
        raise unknown("data set", chosen.dataset, config.dataset_zoo, where)
    if chosen.encoder not in config.model_zoo:
        raise unknown("model", chosen.encoder, config.model_zoo, where)
    if not isinstance(config.dataset_zoo[chosen.dataset], Composed | Zoo):
        raise UserError(
            f"{where}: the mini judge learns from scenes of known content, and the images of "
            f"{chosen.dataset!r} are not; choose a data set of kind stickers, shapes or zoo"
        )


def judge_readers(config: Config, model: str) -> list[str]:
    """Describers of a network that read the mini judge: it does not score them."""
    names = [name for name in variants_of(config, model) if judge_reranks(config, name)]
    labels = judge_labels(config) and model in labeled(config)
    chosen = [name for name in listed_of(config, model) if reads_judge(config, name)]
    chosen += ["pool", "linear"] if pooled(config, model) else []
    return [*(["clip_dissect"] if labels else []), *names, *chosen]


def _describing_models(config: Config) -> Iterator[tuple[str, str]]:
    """Models beside the captioners trained here that help to describe: (describer, source)."""
    methods = config.baselines
    if "clip_dissect" in methods.methods and methods.clip_dissect.path:
        yield "clip_dissect", methods.clip_dissect.path
    for name, variant in config.variants.items():
        for part in (variant.captioner, variant.prior, variant.clip):
            if source := getattr(part, "source", None):
                yield f"variant {name!r}", source


def _same_model(one: str, other: str) -> bool:
    """Whether two folders or hub names are one."""
    return one == other or Path(one).expanduser().resolve() == Path(other).expanduser().resolve()
