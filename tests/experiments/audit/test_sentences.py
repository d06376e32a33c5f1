"""What the audit may say of one pair of networks, and of several."""

from milan_core.experiments.audit import tables
from milan_core.experiments.audit.options import AuditedNetwork, AuditOptions, Pair
from milan_core.experiments.audit.section import AuditPaths, audit_section

PATHS = AuditPaths("counts.csv", "changes.csv", "units.csv", "review/index.html")


def text_of(originals, changed):
    """The section of pairs with these numbers of face units of 40, two units a group."""
    pairs = [Pair(name=f"p{n}", original=f"o{n}", changed=f"c{n}") for n in range(len(originals))]
    units = [("a", unit) for unit in range(40)]
    names = [name for pair in pairs for name in (pair.original, pair.changed)]
    groups = {name: {key: key[1] // 2 for key in units} for name in names}
    matches = {}
    for pair, first, second in zip(pairs, originals, changed, strict=True):
        matches[pair.original, "faces", tables.DESCRIPTION] = units[:first]
        matches[pair.changed, "faces", tables.DESCRIPTION] = units[:second]
    rows = tables.change_rows(matches, groups, pairs)
    changes = [dict(zip(tables.CHANGES, map(str, row), strict=True)) for row in rows]
    networks = [AuditedNetwork(name=name, dataset="probe") for name in names]
    options = AuditOptions(pairs=pairs, networks=networks, queries={"faces": {"words": ["face"]}})
    return " ".join(audit_section([], changes, options, PATHS).paragraphs)


def test_one_pair_is_a_demonstration_without_a_test():
    text = text_of([8], [0])
    assert "8 units (4 distinct groups) against 0 (0) of 40 (p0)" in text
    assert "One pair of networks is a demonstration, no test." in text
    assert "One pair cannot confirm that" in text
    for word in ("clearly", "agrees", "p <", "p 0", "100%"):
        assert word not in text.replace("“Clearly”", "")


def test_several_pairs_have_a_verdict():
    text = text_of([8, 9, 10, 9], [0, 1, 0, 1])
    assert "Mean over 4 pairs: 8.5 units fewer in the twin" in text
    assert "): clearly fewer." in text
    assert "By descriptions this run agrees with the paper in the direction" in text


def test_pairs_that_disagree_state_what_could_have_been_seen():
    text = text_of([8, 0, 10, 0], [0, 9, 0, 6])
    assert "not told apart; there only a difference of" in text
    assert "does not confirm the paper" in text
