"""The report's section on Table 2: sentences that follow from its rows, and where they disagree.

The paper's Table 2 (BERTScore F, four classifiers) has, in every row, PMI above greedy p(d|E),
p(d|E) above NetDissect, and NetDissect above Compositional Explanations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from milan_core.core.numbers import number
from milan_core.core.section import Column, Picture, Section, Table
from milan_core.core.tables import Row
from milan_core.experiments.baselines.names import method_texts, reads_masks, rivals
from milan_core.experiments.baselines.options import Evidence
from milan_core.experiments.baselines.tables import ALL
from milan_core.experiments.generalization.options import EncoderFacts
from milan_core.experiments.generalization.overlap import encoder_sentence
from milan_core.scoring.metrics import BLEU_SHORT, SEQUENCE
from milan_core.scoring.scorer import ACCURACY, BERT_AUC, BERT_F, FALSE_NAMES, MAIN
from milan_core.scoring.verdicts import CLEARLY, Difference, against_paper, power_text

# Metrics that sentences are about, the first that any row has; how its columns begin.
METRICS = ((BERT_F, "bert"), (ACCURACY, "accuracy"), (BLEU_SHORT, "bleu"))
TITLES = {BERT_F: "BERTScore F", ACCURACY: "Concept accuracy", BLEU_SHORT: "BLEU-2"}
TEXTS = method_texts()
PICTURES = {
    BERT_F: ("bertscore.svg", "BERTScore F with bootstrap intervals, drawn by concept."),
    ACCURACY: (
        "accuracy.svg",
        "Share of units with a known concept whose description names it.",
    ),
}
COLUMNS = (
    Column("model", "network"),
    Column("method", "method"),
    Column("n", "units", "integer"),
    Column(BERT_F, "BERTScore F", digits=3, low="bert_low", high="bert_high"),
    Column(BERT_AUC, "AUC: right from wrong", digits=2),
    Column("bert_lead", "PMI is ahead by", digits=3, low="bert_lead_low", high="bert_lead_high"),
    Column("bert_lead_holm", "p, Holm", "p"),
    Column(ACCURACY, "concept accuracy", "percent", low="accuracy_low", high="accuracy_high"),
    Column(
        "accuracy_lead", "PMI is ahead by", "percent", low="accuracy_lead_low",
        high="accuracy_lead_high",
    ),
    Column("accuracy_lead_holm", "p, Holm", "p"),
    Column(FALSE_NAMES, "false names per description", digits=2),
    Column("mean_words", "words", digits=1),
    Column(BLEU_SHORT, "BLEU-2", digits=1),
    Column("bleu", "BLEU-4, as published", digits=1),
    Column("rouge-l-f", "ROUGE-L F", digits=3),
    Column(SEQUENCE, "ROUGE-L F, words in order", digits=3),
    Column("passes", "above its own threshold", "percent"),
)  # fmt: skip

CAPTION = (
    "Every method on every held-out network; means over trials. 95% intervals draw concepts where "
    "units have a specific one, groups of units elsewhere; with several trials the mean of each "
    "trial's ends, so that of one trial. Holm adjusts p over all networks and rival methods. "
    "Concept accuracy is recall, which longer texts win: false names and words stand beside. "
    "BLEU-4 stands as published only, since texts of fewer than four words have no 4-gram. All "
    "units are scored, those too whose label is below its method's own threshold (NetDissect: IoU "
    "0.04)."
)


def methods_section(
    rows: Sequence[Row],
    evidence: Evidence,
    drawn: Sequence[str],
    encoder: EncoderFacts | None = None,
) -> Section:
    """The section; `drawn` are the metrics that have a figure. Empty columns are left out.

    `encoder` says what the encoder has to do with the described networks.
    """
    metric, short = next(
        (entry for entry in METRICS if any(row.get(entry[0], "") != "" for row in rows)),
        METRICS[0],
    )
    on_networks = set(_models(rows)) - {*evidence.sets, ALL}
    paragraphs = [
        headline(rows, metric),
        *claims(rows, metric, short),
        *concept_accuracy(rows),
        CLEARLY,
        encoder_sentence(encoder) if encoder else "",
        *(caveats(evidence) if on_networks else []),
        *(about_sets(evidence.sets) if evidence.sets else []),
        *ALWAYS,
    ]
    columns = [column for column in COLUMNS if any(row.get(column.name, "") != "" for row in rows)]
    items: list[Table | Picture] = [Table("table2.csv", CAPTION, columns)]
    items += [Picture(*picture) for metric, picture in PICTURES.items() if metric in drawn]
    title = "Table 2: other methods on the same exemplars"
    return Section("baselines", title, 20, [text for text in paragraphs if text], items)


def _models(rows: Sequence[Row]) -> dict[str, dict[str, Row]]:
    """Rows by network and method."""
    models: dict[str, dict[str, Row]] = {}
    for row in rows:
        models.setdefault(str(row["model"]), {})[str(row["method"])] = row
    return models


def compared(rows: Sequence[Row]) -> list[str]:
    """The methods whose p is adjusted: rivals, and what describes the same units by another way."""
    columns = [f"{short}_lead_holm" for _, short in METRICS]
    return list(
        dict.fromkeys(
            str(row["method"]) for row in rows if any(row.get(name, "") != "" for name in columns)
        )
    )


def _named(rows: Sequence[Row]) -> dict[str, str]:
    """Names in sentences of the methods that describe units; variants go by their own."""
    return {name: name for name in compared(rows)} | TEXTS


def _value(row: Row, metric: str) -> str:
    value = float(row[metric])
    if metric == ACCURACY:
        return f"{100 * value:.1f}%"
    return f"{value:.1f}" if metric == BLEU_SHORT else f"{value:.3f}"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def headline(rows: Sequence[Row], metric: str) -> str:
    """The values of the methods: over all networks where they are pooled, else on each."""
    models, named = _models(rows), _named(rows)
    pooled = any(row.get(metric, "") != "" for row in models.get(ALL, {}).values())
    chosen = {ALL: models[ALL]} if pooled else models
    parts = []
    for model, methods in chosen.items():
        values = [
            f"{named[method]} {_value(row, metric)}"
            for method, row in methods.items()
            if method in named and row.get(metric, "") != ""
        ]
        if values:
            parts.append(f"{model}: {', '.join(values)}")
    return f"{TITLES[metric]} of every method on the same units and references. {'; '.join(parts)}."


def claims(rows: Sequence[Row], metric: str, short: str) -> list[str]:
    """Statements of the paper's Table 2, compared with this run."""
    models = {name: methods for name, methods in _models(rows).items() if name != ALL}
    named = _named(rows)
    others = (*rivals(), *compared(rows))
    texts = [
        _lead_claim(models, named.get(method, method), method, short, metric)
        for method in dict.fromkeys(others)
    ]
    texts += [
        _order_claim(models, "greedy", "netdissect", metric),
        _order_claim(models, "netdissect", "compexp", metric),
        _order_claim(models, "greedy", "netdissect_published", metric),
        _order_claim(models, "netdissect_published", "compexp_published", metric),
    ]
    return [text for text in texts if text]


def _lead_claim(
    models: Mapping[str, Mapping[str, Row]], name: str, method: str, short: str, metric: str
) -> str:
    """PMI compared with one method, called `name`, by the paired interval on each network."""
    sides: dict[int, list[str]] = {1: [], -1: [], 0: []}
    differences = []
    for model, methods in models.items():
        row = methods.get(method)
        if row is None or row.get(f"{short}_lead_low", "") == "":
            continue
        ends = ("", "_low", "_high", "_p", "_holm")
        lead = Difference(*(number(row.get(f"{short}_lead{end}", "")) for end in ends))
        differences.append(lead)
        sides[lead.side].append(model)
    if not any(sides.values()):
        return ""
    words = {
        1: "is clearly ahead on",
        -1: "is clearly behind on",
        0: "shows no clear difference on",
    }
    power = power_text(
        differences, *((100, "points") if metric == ACCURACY else (1, TITLES[metric]))
    )
    words_of_power = f" ({power})" if power else ""
    verdicts = "; ".join(
        f"{words[side]} {_listed(names)}" for side, names in sides.items() if names
    )
    text = f"PMI against {name} (paired by unit): PMI {verdicts}{words_of_power}."
    if method.removesuffix("_published") in ("greedy", "netdissect", "compexp"):
        verdict = against_paper([one.side for one in differences])
        text += f" The paper's Table 2 has PMI ahead in every row; this {verdict}."
    return text


def _order_claim(
    models: Mapping[str, Mapping[str, Row]], better: str, worse: str, metric: str
) -> str:
    """Whether one method is above another on each network, as in the paper's rows."""
    ahead = {
        model: float(methods[better][metric]) - float(methods[worse][metric])
        for model, methods in models.items()
        if all(methods.get(name, {}).get(metric, "") != "" for name in (better, worse))
    }
    if not ahead:
        return ""
    claim = f"The paper's rows also have {TEXTS[better]} above {TEXTS[worse]}"
    words = {
        "here it is reversed on": [model for model, by in ahead.items() if by < 0],
        "here they are equal on": [model for model, by in ahead.items() if by == 0],
    }
    against = [f"{text} {_listed(names)}" for text, names in words.items() if names]
    return f"{claim}: {'; '.join(against) or 'so they are on every network here'}."


def concept_accuracy(rows: Sequence[Row]) -> list[str]:
    """The best method by named concepts on each network."""
    parts: list[str] = []
    named = _named(rows)
    for model, methods in _models(rows).items():
        judged = {m: r for m, r in methods.items() if m in named and r.get(ACCURACY, "") != ""}
        if MAIN in judged and len(judged) > 1:
            best = max(judged, key=lambda m: (float(judged[m][ACCURACY]), m == MAIN))
            ours = _value(judged[MAIN], ACCURACY)
            value = _value(judged[best], ACCURACY)
            parts.append(
                f"{model}: PMI is best with {ours}"
                if best == MAIN
                else f"{model}: {named[best]} {value}, PMI {ours}"
            )
    return [f"Concepts named correctly, best method. {'; '.join(parts)}."] if parts else []


def caveats(evidence: Evidence) -> list[str]:
    """Facts that are needed to read the table."""
    texts = []
    labels, methods = evidence.labels, evidence.methods
    if names := [TEXTS[method] for method in methods if reads_masks(method)]:
        images = (
            f"the very images that the annotators saw ({labels})"
            if evidence.same_images
            else f"other scenes ({labels}) than those that the annotators saw"
        )
        texts.append(
            f"{_listed(names)} read the masks of the ground truth that also wrote the references. "
            "With real images nobody has such masks, so in this world these methods are a ceiling "
            "on what labels can know, not rivals: PMI, which reads pixels only, may well be behind "
            "them, and where it is ahead, it is so in spite of their advantage. Their evidence is "
            f"drawn from {images}."
        )
    if formulas := [TEXTS[method] for method in methods if method in ("compexp", "invert")]:
        texts.append(
            f"A formula of {_listed(formulas)} names up to several concepts, and concept accuracy "
            "counts it as right when any of them is the unit's, a negated one too: read their "
            "accuracy as an upper bound, and BERTScore and BLEU beside it."
        )
    if evidence.judged:
        readers = _listed([TEXTS.get(name, name) for name in evidence.judged])
        texts.append(
            f"{readers} read the mini judge of this run where published programs read a CLIP. The "
            "judge learned the names of this world's things from training scenes and their ground "
            "truth, so these rows say what such a method reaches with a model that knows the "
            "vocabulary, not what CLIP does."
        )
    if "clip_dissect" not in methods:
        texts.append(
            "CLIP-Dissect is not part of this run: it needs a CLIP checkpoint, which the run does "
            "not fetch (baselines.clip_dissect.path), or the mini judge (baselines."
            "clip_dissect.judge)."
        )
    return texts


def about_sets(sets: Sequence[str]) -> list[str]:
    """Facts on rows that were scored against annotation sets."""
    return [
        f"Scored against the annotations of a set: {_listed(sets)}. The concepts of such units are "
        "not known, so agreement is measured and naming the right concept is not. Methods that "
        "label from a list of concepts read a network's activations on images with concept masks; "
        "a set holds only the exemplars of its units, so those methods have a row there only where "
        "results of their published programs were given."
    ]


ALWAYS = (
    "Retrieval repeats what an annotator said of the nearest training unit. Networks that are "
    "probed with the same images share many exemplars, so the nearest unit often shows the "
    "same pictures: that favors retrieval over methods that have to write.",
    "Constants, shuffled descriptions and the language model alone stand in the same table: a "
    "method that is not clearly above them has shown nothing.",
)
