"""The judge that a person names: `oracle`, a folder of a trained judge, a CLIP or SigLIP."""

from __future__ import annotations

from pathlib import Path

from milan_core.core.errors import UserError
from milan_core.core.step import Compute
from milan_core.images.store import Dataset
from milan_core.referee.judge import Judge, JudgeResources, load_judge, refuse_same_model
from milan_core.referee.judges.dual_encoder import model_identity
from milan_core.referee.options import DualEncoderOptions, MiniOptions, OracleOptions

AUTO = "auto"
RECORD = "judge.json"


def named_judge(
    name: str,
    dataset: Dataset,
    compute: Compute,
    *,
    download: bool = False,
    described_by: str = "",
) -> Judge:
    """The judge of a name.

    Args:
        name: `oracle` or `oracle:shares` (ground truth of composed scenes), the folder of a mini
            judge, the folder or hub name of a CLIP or SigLIP; `auto`: the oracle where the images
            have ground truth.
        dataset: the images that it will look at.
        compute: where it runs.
        download: whether the hub may be asked.
        described_by: folder or name of the model that wrote the descriptions, where known.

    Raises:
        UserError: for an unknown judge, one that cannot look at these images, and one that is the
            describer itself.

    """
    if name == AUTO and not dataset.world:
        raise UserError(
            "--judge: these images have no ground truth, so no judge can be chosen for you; give "
            "the folder of a trained judge, or the folder or hub name of a CLIP or SigLIP"
        )
    judge = _load(name, JudgeResources(compute=compute), download)
    if described_by:
        refuse_same_model(judge, "the descriptions' model", model_identity(described_by))
    return judge


def _load(name: str, resources: JudgeResources, download: bool) -> Judge:
    if name in (AUTO, "oracle"):
        return load_judge(OracleOptions(), resources)
    if name == "oracle:shares":
        return load_judge(OracleOptions(graded=True), resources)
    return learned_judge(name, resources.compute, download=download)


def learned_judge(name: str, compute: Compute, *, download: bool = False) -> Judge:
    """The judge of a name that needs no ground truth: a mini judge, a CLIP or a SigLIP.

    Raises:
        UserError: for a folder that holds none.

    """
    resources = JudgeResources(compute=compute)
    folder = Path(name).expanduser()
    if (folder / RECORD).is_file():
        here = JudgeResources(folder=folder, compute=resources.compute)
        return load_judge(MiniOptions(), here)
    if folder.is_dir() and not (folder / "config.json").is_file():
        raise UserError(
            f"--judge: {folder} holds neither a trained judge ({RECORD}) nor a checkpoint "
            "(config.json)"
        )
    return load_judge(DualEncoderOptions(source=name, download=download), resources)
