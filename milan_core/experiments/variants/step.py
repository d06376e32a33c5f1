"""Steps of the variants: score those of one network, then the table of all."""

from __future__ import annotations

from milan_core.core.step import Compute, In, Out, Step
from milan_core.experiments.scored import ScoredStep


class ScoreVariants(ScoredStep, name="variants.score"):
    """Score the variants of one network beside its main descriptions."""

    model: str
    tables: list[In]
    """descriptions.csv by the main captioner and by each variant."""
    names: list[str]
    """`main` and the variants, in the order of `tables`."""
    scores: Out

    def run(self, compute: Compute) -> dict[str, int]:
        """Write one row per table of descriptions.

        Units that show nothing are left out; the record counts them (`silent`).
        """
        from milan_core.core.files import write_csv
        from milan_core.experiments.variants.tables import COLUMNS, MAIN, variant_rows
        from milan_core.scoring.tables import read_descriptions, scored_descriptions
        from milan_core.scoring.units import check_same_units

        files = dict(zip(self.names, self.tables, strict=True))
        described = {name: read_descriptions(path) for name, path in files.items()}
        for name, table in described.items():
            check_same_units(table, described[MAIN], f"{files[name]}", f"{files[MAIN]}")
        scored, silent = scored_descriptions(files[MAIN])
        tables = {name: {key: table[key] for key in scored} for name, table in described.items()}
        scorer = self.scorer(list(scored))
        write_csv(self.scores, COLUMNS, variant_rows(self.model, tables, scorer))
        return {"scored": len(scored), "silent": len(silent)}


class VariantTable(Step, name="variants.table"):
    """Join the networks' scores: one table and the section of the report."""

    scores: list[In]
    table: Out
    section: Out

    def run(self, compute: Compute) -> None:
        """Write the joined table, then what the report says of it."""
        from milan_core.core.files import read_csv, write_csv
        from milan_core.core.section import write_section
        from milan_core.experiments.variants.section import variants_section
        from milan_core.experiments.variants.tables import COLUMNS

        rows = [row for path in self.scores for row in read_csv(path, COLUMNS)]
        write_csv(self.table, COLUMNS, [[row[name] for name in COLUMNS] for row in rows])
        write_section(self.section, variants_section(rows))
