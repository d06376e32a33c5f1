"""Columns and captions of the tables of Table 3 in the report."""

from __future__ import annotations

from milan_core.core.section import Column
from milan_core.core.tables import Row

TABLE3 = (
    Column("experiment", "Experiment"),
    Column("learnt", "Learned from"),
    Column("described", "Described"),
    Column("trials", "Trials", "integer"),
    Column("bert_f", "BERTScore F", "number", 3),
    Column("bert_f_std", "deviation over trials", "number", 3),
    Column("bert_f_greedy", "the same by p(d|E)", "number", 3),
    Column("bert_f_constant", "of a constant text", "number", 3),
    Column("bert_f_shuffled", "of shuffled descriptions", "number", 3),
    Column("accuracy", "Concept accuracy", "percent"),
    Column("accuracy_std", "deviation over trials", "percent"),
    Column("units", "Units", "integer"),
)
NAMES = (
    Column("experiment", "Experiment"),
    Column("train", "Learned from"),
    Column("test", "Described"),
)
TRANSFER = (
    *NAMES,
    Column("trials", "Trials", "integer"),
    Column("accuracy", "Concept accuracy", "percent", low="low", high="high"),
    Column("accuracy_constant", "of the best constant in training", "percent"),
    Column("accuracy_oracle", "of the best fixed word here", "percent"),
    Column(
        "oracle_lead", "ahead of it by", "percent", low="oracle_lead_low", high="oracle_lead_high"
    ),
    Column("oracle_lead_holm", "p, Holm", "p"),
    Column("accuracy_greedy", "the same by p(d|E)", "percent"),
    Column("lead_of_pmi", "PMI ahead by", "percent", low="lead_low", high="lead_high"),
    Column("lead_holm", "p, Holm", "p"),
    Column("judged", "Judged units", "integer"),
    Column("concepts", "of concepts", "integer"),
    Column("false_names", "False names per description", "number", 2),
    Column("false_names_greedy", "the same by p(d|E)", "number", 2),
    Column("bert_f", "BERTScore F", "number", 3, low="bert_low", high="bert_high"),
    Column("bert_auc", "AUC: right from wrong", "number", 2),
    Column("bert_lead", "PMI ahead by", "number", 3, low="bert_lead_low", high="bert_lead_high"),
    Column("bert_lead_holm", "p, Holm", "p"),
    Column("bert_f_two", "against all annotators but one", "number", 3),
    Column("bert_f_annotators", "that one against the others", "number", 3),
    Column("bleu_short", "BLEU-2", "number", 1, low="bleu_short_low", high="bleu_short_high"),
    Column("bleu_short_constant", "of a constant text", "number", 1),
    Column("bleu", "BLEU-4, as published", "number", 1),
    Column("rouge_l_f", "ROUGE-L F", "number", 3, low="rouge_l_f_low", high="rouge_l_f_high"),
    Column("rouge_l_f_constant", "of a constant text", "number", 3),
    Column("rouge_l_sequence", "the same, words in order", "number", 3),
    Column("units", "Units", "integer"),
)
LAYERS = (
    *NAMES,
    Column("trial", "Trial", "integer"),
    Column("layer", "Layer"),
    Column("metric", "Figure"),
    Column("value", "Value", "number", 3, low="low", high="high"),
    Column("units", "Units", "integer"),
)
COST = (
    *NAMES,
    Column("within", "Within the network", "percent"),
    Column("here", "Learned elsewhere", "percent"),
    Column("cost", "Cost", "percent", low="low", high="high"),
    Column("p", "p", "p"),
    Column("holm", "Holm", "p"),
    Column("units", "Judged units", "integer"),
    Column("concepts", "of concepts", "integer"),
    Column(
        "cost_apart", "Cost without near-duplicates", "percent", low="low_apart", high="high_apart"
    ),
    Column("units_apart", "Judged units", "integer"),
)
OVERLAP = (
    *NAMES,
    Column("tested", "Tested units", "integer"),
    Column("seen", "Exemplars seen in training", "percent"),
    Column("related", "Units with a relative in training", "integer"),
    Column("duplicates", "with a near-duplicate", "integer"),
    Column("units_0", "Judged units, overlap below 0.2", "integer"),
    Column("accuracy_0", "accuracy", "percent"),
    Column("units_1", "0.2 to 0.4", "integer"),
    Column("accuracy_1", "accuracy", "percent"),
    Column("units_2", "0.4 or more", "integer"),
    Column("accuracy_2", "accuracy", "percent"),
)


MASKS = (
    Column("test", "Described"),
    Column("masks", "Under masks", "percent"),
    Column("whole", "Without", "percent"),
    Column("gain", "Gain by masks", "percent", low="low", high="high"),
    Column("p", "p", "p"),
    Column("holm", "Holm", "p"),
    Column("units", "Judged units", "integer"),
    Column("concepts", "of concepts", "integer"),
)
MASKS_CAPTION = (
    "Concept accuracy of two captioners that never saw the network: one learned and describes "
    "under masks, the other learned from and describes whole images. Intervals and p draw "
    "concepts; Holm adjusts over the rows."
)
OVERLAP_CAPTION = (
    "What training knew of the tested units. Overlap is the largest share of a unit's exemplars "
    "that one training unit has as well; shares of fewer than ten units are left out. A "
    "relative has a third or more or is the same channel of a residual stream, a near-duplicate "
    "has two thirds or more."
)
NOTES = (
    "The best fixed word is chosen on the tested units themselves: no captioner could know it. "
    "False names are names of other concepts in a description, the price of longer ones. BLEU-4 "
    "stands as published only: texts of fewer than four words have no 4-gram. ROUGE-L F compares "
    "sets of words, as the published package does. AUC is the share of pairs of a right and a "
    "wrong description whose BERTScore F is in that order; 0.5 is chance."
)


def trained_on(row: Row) -> str:
    """Name the training networks of a row in brief: one by name, several by their number."""
    names = str(row["train"]).split("+")
    return names[0] if len(names) == 1 else f"{len(names)} networks"
