"""Pool and verify: candidates of one or more describers, chosen by what the unit's images show.

    score(d) = corr(max(z(a), 0)^2, z(v1) + z(v3)) + weight (log p(d|E) - lambda log p(d))
               + masks (mean of v3 under the exemplars' masks - mean of v3 in quiet images)

a is the pooled activation on the mining images, v1 and v3 the presence of d in them by the chooser
of names and by the mini judge (`fit`). The largest correlation alone names worse: over the whole
range a unit is best described by something broader than what its top images show. The whole
ranking is kept (`ranking`), and a linear explanation stands beside the text (`linear`). The weight
`masks` is 0 unless it is asked for (`masked`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from milan_core.core.errors import UserError
from milan_core.core.tables import cell
from milan_core.core.units import UnitKey
from milan_core.describers.abstention.stability import resample_counts
from milan_core.describers.declared_options import DescriberOptions, Need
from milan_core.describers.describer import (
    Cell,
    Describer,
    Description,
    Descriptions,
    Resources,
    TableForm,
)
from milan_core.describers.driver import describe
from milan_core.describers.fit import Fitted
from milan_core.describers.linear import NAME as LINEAR
from milan_core.describers.linear import Explained, explain, summary, write_linear
from milan_core.describers.milan import Milan
from milan_core.describers.options import MilanOptions, PoolOptions
from milan_core.describers.pooled import PooledUnits, Proposed, Views, pooled_units
from milan_core.describers.proposals import own_candidates
from milan_core.describers.ranking import NAME as RANKING
from milan_core.describers.ranking import Ranked, Ranking, write_ranking
from milan_core.describers.units import Units
from milan_core.scoring.tables import AS_PUBLISHED


class Pool(Describer):
    """The candidate that fits a unit best.

    Args:
        options: weight of the captioner, lambda.
        resources: the judge, and what it saw.
        captioner: proposes texts for mined units; units of files bring their candidates.

    """

    Options: ClassVar[type[DescriberOptions]] = PoolOptions
    form: ClassVar[TableForm] = TableForm(
        ("logp", "logp_lm", "score", "fit", "source", "linear"), digits=6
    )

    def __init__(
        self, options: PoolOptions, resources: Resources, captioner: Milan | None = None
    ) -> None:
        self._options, self._resources = options, resources
        self.judge, self._captioner = resources.need_judge("pool"), captioner
        self.published: Descriptions | None = None
        """The texts of the captioner as published, where it was asked here."""
        self.ranking: Ranking = {}
        """Candidates of the units that were described last, best first."""
        self.explained: dict[UnitKey, Explained] = {}
        """Their linear explanations."""

    @classmethod
    def load(cls, options: PoolOptions, resources: Resources) -> Pool:
        """The describer with its captioner; its judge is loaded when images are there."""
        resources.need_judge("pool")
        captioner = Milan.load(MilanOptions(decoding=options.decoding), resources)
        return cls(options, resources, captioner)

    def prepare(self, offers: frozenset[Need]) -> None:
        """Let the captioner refuse too, before the work that makes the evidence."""
        super().prepare(offers)
        if self._captioner is not None and "exemplars" in offers:
            self._captioner.prepare(offers)

    def describe(self, units: Units) -> Descriptions:
        """The best candidate of every unit; a unit without candidates abstains."""
        return self._choose(self._with_candidates(units))

    def columns(self) -> dict[str, list[Cell]]:
        """The captioner's texts as published, where it was asked here."""
        if self.published is None:
            return {}
        return {AS_PUBLISHED: [row.text for row in self.published.rows]}

    def save(self, folder: Path) -> list[str]:
        """Write the ranking and the linear explanations; returns the names of the files."""
        write_ranking(folder / RANKING, self.ranking)
        write_linear(folder / LINEAR, self.explained)
        return [RANKING, LINEAR]

    def _with_candidates(self, units: Units) -> PooledUnits:
        if isinstance(units, PooledUnits) or self._captioner is None:
            return pooled_units(units)
        self.published = describe(self._captioner, units)
        proposed = own_candidates(self.published, self._options)
        return pooled_units(units, proposed, self._options.images)

    def _choose(self, units: PooledUnits) -> Descriptions:
        if not units.proposed:
            raise UserError("describer 'pool' chooses among texts, and no describer proposes any")
        given = self._resources
        views = Views.load(
            *(self.judge, given.seen, units.images, given.compute), download=given.download
        )
        places = [place for place, key in enumerate(units.keys) if key not in units.silent]
        pools = [_joined(units.proposed, place) for place in places]
        texts = [[text for _, text, _, _ in one] for one in pools]
        fitted = Fitted(units.pooled(places), views.chooser, views.judge, texts)
        counts = resample_counts(len(units.images), self._options.seed)
        self.ranking = {}
        for number, (place, part) in enumerate(self._under_masks(units, views, places, texts)):
            ranked = self._ranked(pools[number], fitted, number, counts, part)
            self.ranking[units.keys[place]] = ranked
        self.explained = explain(units, views, self._options.linear)
        return _descriptions(units, self.ranking, self.explained)

    def _under_masks(
        self,
        units: PooledUnits,
        views: Views,
        places: Sequence[int],
        texts: Sequence[Sequence[str]],
    ) -> Iterator[tuple[int, np.ndarray | None]]:
        """Each place, with the presence of its texts under the masks where these count."""
        if not self._options.masks:
            yield from ((place, None) for place in places)
            return
        masked = views.masked(units.shown, list(dict.fromkeys(x for one in texts for x in one)))
        for place, own in zip(places, texts, strict=True):
            yield place, masked.under(place, own)

    def _ranked(
        self,
        pool: Sequence[_Candidate],
        fitted: Fitted,
        unit: int,
        counts: np.ndarray,
        under: np.ndarray | None,
    ) -> list[Ranked]:
        """The candidates of a unit by score; equal scores: the earlier one."""
        if not pool:
            return []
        spoken = np.array([logp - self._options.temperature * prior for _, _, logp, prior in pool])
        known = spoken[np.isfinite(spoken)]
        # A text that the captioner did not propose is as likely as its least likely one.
        spoken = np.where(np.isnan(spoken), known.min() if len(known) else 0.0, spoken)
        one, offsets = fitted.fits[unit], self._options.weight * spoken
        if under is not None:
            offsets = offsets + self._options.masks * (under - one.quiet)
        scores = one.fit + offsets
        won = fitted.wins(unit, offsets, counts)
        parts = (one.fit, one.fit_chooser, one.fit_judge, one.range, scores, won)
        return [
            Ranked(text, source, logp, prior, *(float(part[place]) for part in parts))
            for place in np.argsort(-scores, kind="stable")
            for source, text, logp, prior in [pool[place]]
        ]


_Candidate = tuple[str, str, float, float]
"""Source, text, log p(d|E) and log p(d)."""


def _joined(proposed: dict[str, Proposed], unit: int) -> list[_Candidate]:
    """The candidates of a unit from all sources; of equal texts the first."""
    found: dict[str, _Candidate] = {}
    for source, one in proposed.items():
        values = zip(one.texts[unit], one.logp[unit], one.logp_lm[unit], strict=True)
        for text, logp, prior in values:
            if text.strip():
                found.setdefault(text, (source, text, float(logp), float(prior)))
    return list(found.values())


def _descriptions(
    units: PooledUnits, ranking: Ranking, explained: Mapping[UnitKey, Explained]
) -> Descriptions:
    rows = []
    for key in units.keys:
        linear = {"linear": summary(explained.get(key))}
        if not ranking.get(key):
            rows.append(Description("", cells=linear))
            continue
        best = ranking[key][0]
        cells: dict[str, Cell] = {
            "logp": cell(best.logp),
            "logp_lm": cell(best.logp_lm),
            "fit": best.fit,
            "source": best.source,
        }
        rows.append(Description(best.text, best.score, {**cells, **linear}))
    return Descriptions(units.keys, rows)
