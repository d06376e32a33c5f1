"""The files of a trial: those of a default run (seed 0), or of its own folder (`trials`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SPLITS = {
    "resnet_mini": "without_resnet_mini",
    "alexnet_mini": "without_alexnet_mini",
    "alexnet_mini_surfaces": "without_alexnet_mini_surfaces",
    "efficientnet_lite0": "without_efficientnet_lite0",
    "vit_mini": "all",
    "resnet_random": "all",
}
MINED, SCORED = "stickers_probe", "stickers_heldout"
RESULTS = Path("results")
PROPOSED = ("milan.csv", "beams.safetensors")
CHOSEN = ("pool", "linear", "ranking", "evidence")


@dataclass(frozen=True)
class Trial:
    """The files of one seed; of seed 0 those of the run, but for texts that masks chose."""

    out: Path
    seed: int
    masks: float = 0.0

    def of(self, network: str) -> dict[str, Path]:
        """The files that speak of a network."""
        said = RESULTS / network / f"describe/{SPLITS[network]}/seed0"
        files = {"milan": said / "descriptions.csv", "beams": said / "beams.safetensors"}
        if self.seed:
            files = {Path(name).stem: self.folder / network / name for name in PROPOSED}
        if self.seed or self.masks:
            own = self.chosen / network
            return files | {name: own / f"{name}.csv" for name in CHOSEN}
        pool = RESULTS / network / "pool"
        return files | {
            "pool": pool / "descriptions.csv",
            "linear": pool / "linear.csv",
            "ranking": pool / "ranking.csv",
            "evidence": RESULTS / network / "abstention/evidence.csv",
        }

    @property
    def folder(self) -> Path:
        """Its own folder."""
        return self.out / f"seed{self.seed}"

    @property
    def chosen(self) -> Path:
        """The folder of its choices."""
        return self.folder / f"masks-{self.masks:g}" if self.masks else self.folder

    @property
    def judge(self) -> Path:
        """The folder of its judge."""
        return (self.folder if self.seed else RESULTS) / "judge"

    def seen(self, dataset: str) -> Path:
        """What its judge saw in the images of a data set."""
        look = self.folder / "look" if self.seed else RESULTS / "referee/mini"
        return look / f"{dataset}.safetensors"

    @property
    def reliable(self) -> Path:
        """The folder of the tables of abstention."""
        return (self.chosen if self.seed or self.masks else RESULTS) / "abstention"
