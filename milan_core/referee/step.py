"""Steps of the referee: held-out activations, the judge trained here, scores, the leaderboard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from milan_core.captioner.features.options import JobEncoder
from milan_core.core.parts import Joined, Part, Shared, Work, joined
from milan_core.core.step import Compute, In, Out, OutFolder, Step
from milan_core.exemplars.options import Pool
from milan_core.networks.options import Network
from milan_core.referee.options import BoardOptions, JudgeOptions, MiniTraining, ScoringOptions

if TYPE_CHECKING:
    from milan_core.referee.network import Prepared


class TableHeldOut(Step, name="referee.table", device=True):
    """Pool the activations of every unit on images that no describer sees (a second data set)."""

    model: Network
    weights: In | None = None
    dataset: In
    """The held-out images."""
    pools: list[Pool]
    mode: str = "top"
    table: Out

    def run(self, compute: Compute) -> dict[str, str]:
        """Write the table."""
        from milan_core.core.options import narrowed
        from milan_core.exemplars.options import MiningRun
        from milan_core.exemplars.pooled import pool_dataset
        from milan_core.images.store import open_dataset
        from milan_core.networks.options import RunOptions
        from milan_core.networks.precision import precision_facts
        from milan_core.networks.zoo import load_network

        run = MiningRun(
            **narrowed(self.model, RunOptions).model_dump(),
            device=compute.device,
            threads=compute.threads,
        )
        network, images = load_network(self.model), open_dataset(self.dataset)
        table = pool_dataset(
            *(network, images, self.pools, run), mode=self.mode, name=self.model.name
        )
        table.save(self.table)
        return precision_facts(run.dtype)


class TrainJudge(Step, name="referee.train_judge", device=True):
    """Train the mini judge, and the chooser of names, on training scenes of known content."""

    encoder: JobEncoder
    """The frozen network of images, and its layers."""
    weights: In | None = None
    """The network's weights."""
    dataset: In
    """Training scenes."""
    text: In | None = None
    """Asset with the frozen encoder of texts; none: random word vectors."""
    options: MiniTraining
    seed: int = 0
    judge: OutFolder

    def run(self, compute: Compute) -> dict[str, Any]:
        """Write the judge."""
        from milan_core.images.store import open_dataset
        from milan_core.networks.zoo import load_network
        from milan_core.referee.judges.chooser import save_chooser, train_chooser
        from milan_core.referee.judges.frozen import SentenceVectors, WordSums
        from milan_core.referee.judges.mini import save_folder
        from milan_core.referee.judges.training import train
        from milan_core.scoring.vectors import encoder_folder

        network, images = load_network(self.encoder.model), open_dataset(self.dataset)
        network.module.to(compute.device)
        texts = SentenceVectors(encoder_folder(self.text)) if self.text else WordSums()
        trained = train(network, self.encoder, texts, images, self.options, self.seed)
        save_folder(self.judge, trained.maps, self.encoder, texts, trained.facts)
        save_chooser(self.judge, train_chooser(trained.means, texts, images, self.seed))
        facts = trained.facts
        return {key: facts[key] for key in ("scenes", "phrases", "loss")}


class LookAtImages(Step, name="referee.look", device=True):
    """Keep what a judge sees in the held-out images, for every network that they score."""

    judge: JudgeOptions
    trained: In | None = None
    """Folder of a judge that was trained here."""
    dataset: In
    seen: Out

    def run(self, compute: Compute) -> None:
        """Write the judge's vectors of the images."""
        from milan_core.images.store import open_dataset
        from milan_core.referee.judge import JudgeResources, load_judge
        from milan_core.referee.seen import look

        judge = load_judge(self.judge, JudgeResources(folder=self.trained, compute=compute))
        look(judge, open_dataset(self.dataset), self.seen)


class ChooseAlpha(Step, name="referee.choose_alpha", device=True):
    """Choose the share of images on which a unit fires, on images that do not score."""

    tables: list[In]
    """Activations on the mined images, of each network."""
    scored_on: list[In]
    """Activations on the images that score, of the same networks."""
    descriptions: list[In]
    """By the main describer, of the same networks."""
    folders: list[In]
    """The data sets that were mined, each once."""
    judge: JudgeOptions
    trained: In | None = None
    """Folder of a judge that was trained here."""
    seen: list[In] = Field([], description="its view of these data sets, by referee.look")
    seed: int = 0
    alpha: Out

    def run(self, compute: Compute) -> dict[str, Any]:
        """Write alpha with the lifts that it was chosen from."""
        from milan_core.exemplars.table import open_table
        from milan_core.images.store import open_dataset
        from milan_core.referee.alpha import choose_alpha, mined_pairs
        from milan_core.referee.judge import JudgeResources, load_judge
        from milan_core.referee.seen import recall
        from milan_core.referee.table import scored_images
        from milan_core.scoring.tables import read_descriptions

        judge = load_judge(self.judge, JudgeResources(folder=self.trained, compute=compute))
        for path in self.seen:
            recall(judge, path)
        said = [read_descriptions(path) for path in self.descriptions]
        tables = [open_table(path) for path in self.tables]
        datasets = [open_dataset(folder) for folder in self.folders]
        pairs = mined_pairs(tables, said, datasets, judge, self.seed)
        scored = min(len(scored_images(open_table(path), 1)[0]) for path in self.scored_on)
        chosen = choose_alpha(pairs, scored, judge.name)
        chosen.save(self.alpha)
        return {"alpha": chosen.alpha, "units": chosen.units}


class Scoring(Shared):
    """Everything that was said of one network, and the judge that scores it."""

    part_step = "referee.score_part"

    table: In
    """Activations of its units on these images."""
    dataset: In
    descriptions: In
    """By the main describer."""
    named: list[str] = Field([], description="describers of the files of `tables`")
    tables: list[In] = Field([], description="descriptions by further describers")
    methods: list[In] = Field([], description="tables that name the describer in each row")
    listed: list[str] = Field([], description="describers of the files of `lists`")
    lists: list[In] = Field([], description="several weighted texts a unit, as of linear")
    truth: In | None = None
    """Concepts of the units, where the probe images have ground truth."""
    judge: JudgeOptions
    trained: In | None = None
    """Folder of a judge that was trained here."""
    seen: In | None = None
    """Its view of the images, made by referee.look."""
    readers: list[str] = Field([], description="describers that read the judge of `read`")
    read: In | None = None
    """Folder of the judge that some describers read: it does not score these."""
    alpha: In | None = None
    """Takes the place of `options.alpha`, by referee.choose_alpha."""
    options: ScoringOptions
    seed: int = 0

    def prepared(self, compute: Compute) -> Prepared:
        """The texts of every describer, and the bench that scores them."""
        from milan_core.exemplars.table import open_table
        from milan_core.images.store import open_dataset
        from milan_core.referee.alpha import read_alpha
        from milan_core.referee.judge import JudgeResources, load_judge
        from milan_core.referee.judges.mini import folder_model
        from milan_core.referee.network import prepare
        from milan_core.referee.said import read_lists, read_said
        from milan_core.referee.seen import recall
        from milan_core.scoring.tables import read_truth

        resources = JudgeResources(folder=self.trained, compute=compute)
        judge, options = load_judge(self.judge, resources), self.options
        if self.alpha is not None:
            options = options.model_copy(update={"alpha": read_alpha(self.alpha)})
        if self.seen is not None:
            recall(judge, self.seen)
        return prepare(
            open_table(self.table),
            open_dataset(self.dataset),
            judge,
            read_said(self.descriptions, self.named, self.tables, self.methods),
            read_truth(self.truth) if self.truth else {},
            options,
            self.seed,
            dict.fromkeys(self.readers, folder_model(self.read)) if self.read else {},
            read_lists(self.listed, self.lists),
        )

    def scoring(self, prepared: Prepared) -> Work:
        """The scores of what the judge may score, in blocks of explanations."""
        from milan_core.referee.blocks import scoring
        from milan_core.referee.network import distinct

        every, module = distinct(prepared.judged), f"referee.judges.{self.judge.kind}"
        return scoring(prepared.bench, every, module)

    def work(self, compute: Compute) -> Work:
        """As `scoring`."""
        return self.scoring(self.prepared(compute))


class ScorePart(Scoring, Part, name="referee.score_part", device=True):
    """Score a part of what was said of one network, for `referee.score`."""


class ScoreNetwork(Scoring, Joined, name="referee.score", device=True):
    """Score everything that was said of one network on images that no describer has seen."""

    scores: Out
    board: Out
    """Means with their resamples, for the leaderboard."""
    sanity: Out

    def run(self, compute: Compute) -> None:
        """Write the score of every description, the means, and the sanity of the scores."""
        from milan_core.core.files import write_csv
        from milan_core.referee.blocks import read_scores
        from milan_core.referee.network import SANITY, SCORES, score_prepared

        prepared = self.prepared(compute)
        blocks = joined(self, self.scoring(prepared), read_scores) if self.parts else None
        result = score_prepared(prepared, self.seed, blocks)
        write_csv(self.scores, SCORES, result.rows())
        write_csv(self.sanity, SANITY, result.sanity_rows())
        result.board.save(self.board)


class Leaderboard(Step, name="referee.leaderboard"):
    """Join the scores of all networks: the leaderboard, and the section of the report."""

    boards: list[In]
    """Means of each network, by referee.score."""
    sanity_tables: list[In]
    """sanity.csv of each network, in the same order."""
    options: BoardOptions
    leaderboard: Out
    summary: Out
    sanity: Out
    section: Out

    def run(self, compute: Compute) -> None:
        """Write leaderboard.csv, what the report shows of it, and the section."""
        from milan_core.core.files import read_csv, write_csv
        from milan_core.core.section import write_section
        from milan_core.referee import leaderboard as tables
        from milan_core.referee.board import COLUMNS, load_board
        from milan_core.referee.section import SUMMARY, TRIVIAL_NAMES, referee_section, summary_rows

        boards = [load_board(path) for path in self.boards]
        over = tables.over_networks(boards, self.options.random)
        names = {**TRIVIAL_NAMES, **self.options.names}
        write_csv(self.leaderboard, COLUMNS, tables.long_rows([*over, *boards]))
        rows = [row for board in [*over, *boards] for row in summary_rows(board, names)]
        write_csv(self.summary, SUMMARY, tables.cells(rows, SUMMARY))
        judges = [board.facts.judge for board in boards]
        needed = ("metric", "units", "missing", "extra", "both")
        passed = [read_csv(path, needed) for path in self.sanity_tables]
        verdicts = tables.joined_sanity(judges, passed)
        write_csv(self.sanity, tables.SANITY, tables.cells(verdicts, tables.SANITY))
        write_section(
            self.section, referee_section(over, rows, verdicts, names, self.options.random)
        )
