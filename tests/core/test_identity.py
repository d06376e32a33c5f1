"""Identity of code: what changes it, and what does not."""

import shutil

import pytest

from milan_core.core import definitions, identity
from milan_core.core.step import all_steps

CACHES = ("file_of", "read", "references", "_content", "step_code", "files_as_they_are")


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package that a test may edit."""
    shutil.copytree(
        identity.PACKAGE, tmp_path / "milan_core", ignore=shutil.ignore_patterns("*.so", "*.pyc")
    )
    (tmp_path / "csrc").mkdir()
    (tmp_path / "csrc" / "scan.cpp").write_text("int f() { return 1; }  // one\n")
    for module in (definitions, identity):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(identity, "shipped_root", lambda: tmp_path)
    monkeypatch.setattr(identity, "PACKAGE", tmp_path / "milan_core")
    forget()
    yield tmp_path / "milan_core"
    forget()


def forget():
    for name in CACHES:
        getattr(identity, name).cache_clear()


def code(root):
    forget()
    return identity.step_code(root)


def edit(path, before, after):
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


ORDERS, TABLE = "experiments.edit.orders:all_orders", "experiments.edit.tables:summary_rows"


def test_docstrings_comments_and_layout_change_nothing(package):
    before = code(ORDERS)
    path = package / "experiments/edit/orders.py"
    edit(path, '"""Orders int64', '"""Changed words. Orders int64')
    path.write_text("# A comment.\n\n\n" + path.read_text() + "\n\n# Another.\n")
    assert code(ORDERS) == before


def test_a_statement_changes_what_can_reach_it_and_nothing_else(package):
    before, table = code(ORDERS), code(TABLE)
    edit(package / "experiments/edit/orders.py", 'generator(seed, "ties")', 'generator(seed, "t")')
    assert code(ORDERS) != before
    assert code(TABLE) == table


def test_another_definition_of_the_same_file_changes_nothing(package):
    before = code("experiments.edit.orders:by_importance")
    edit(package / "experiments/edit/orders.py", "means.argmax()", "means.argmin()")
    assert code("experiments.edit.orders:by_importance") == before


def test_an_error_of_the_user_is_code_and_its_docstring_is_not(package):
    """A docstring in errors.py re-ran every job of 0.1.0."""
    before = code("exemplars.store:load_exemplars")
    edit(package / "core/errors.py", "A user's mistake; the", "A mistake in what a user gave; the")
    assert code("exemplars.store:load_exemplars") == before


def test_an_edited_docstring_plans_no_step_again(package):
    """The same for every step; a statement of that file re-runs the steps that can reach it."""
    names = sorted(all_steps())
    before = [identity.step_code(name) for name in names]
    errors = package / "core/errors.py"
    edit(errors, "A user's mistake; the", "A mistake in what a user gave; the")
    edit(errors, "    names = sorted(names)", "    # The known names.\n    names = sorted(names)")
    forget()
    assert [identity.step_code(name) for name in names] == before
    edit(errors, "names[:20]", "names[:19]")
    forget()
    after = [identity.step_code(name) for name in names]
    assert any(one != other for one, other in zip(before, after, strict=True))


def test_methods_imports_in_functions_and_constants_count(package):
    (package / "toy.py").write_text(
        "from milan_core.core.errors import first_line\n"
        "SIZE = 3\n\n\n"
        "def work():\n"
        "    from milan_core.core import seeding\n\n"
        "    return seeding.derive(SIZE, 'a')\n\n\n"
        "def other():\n"
        "    return first_line(ValueError())\n"
    )
    before = code("toy:work")
    edit(package / "core/seeding.py", ">> 1", ">> 2")
    seeding = code("toy:work")
    assert seeding != before
    edit(package / "toy.py", "SIZE = 3", "SIZE = 4")
    size = code("toy:work")
    assert size != seeding
    edit(package / "core/errors.py", "[:200]", "[:100]")
    assert code("toy:work") == size, "first_line is imported, not reached"
    assert ("milan_core.core.errors", "first_line") in identity.reached(
        [("milan_core.toy", "other")]
    )


def test_data_files_native_sources_and_named_modules_count(package):
    def files(root):
        module, _, name = root.partition(":")
        nodes = identity.reached([(f"milan_core.{module}", name)])
        return {node.name for node in nodes if not isinstance(node, tuple)}

    assert "lexicon.yaml" in files("world.lexicon:load_lexicon")
    assert "scan.cpp" in files("ops.scan:ScanState")
    assert not any(name.endswith(".cpp") for name in files(TABLE))
    before = code("ops.scan:ScanState")
    edit(package.parent / "csrc/scan.cpp", "// one", "/* the first */")
    assert code("ops.scan:ScanState") == before
    edit(package.parent / "csrc/scan.cpp", "return 1", "return 2")
    assert code("ops.scan:ScanState") != before
    (package / "toy.py").write_text('FACTORY = "milan_core.networks.minis.cnn:resnet_mini"\n')
    assert ("milan_core.networks.minis.cnn", "resnet_mini") in identity.reached(
        [("milan_core.toy", "FACTORY")]
    )


def test_records_and_locks_are_no_part_of_results():
    nodes = identity.reached([("milan_core.experiments.edit.network", "edit_network")])
    modules = {node[0] for node in nodes if isinstance(node, tuple)}
    assert "milan_core.networks.ablation.engine" in modules
    assert not modules & identity.NEUTRAL
    assert not any(module.startswith("milan_core.report") for module in modules)


def test_a_wheel_and_a_clone_have_the_same_identity(package, monkeypatch):
    """The native sources lie elsewhere in a wheel; the digest does not depend on where."""
    before = code("ops.scan:ScanState")
    shipped = package / "shipped"
    shipped.mkdir()
    (package.parent / "csrc").rename(shipped / "csrc")
    monkeypatch.setattr(identity, "shipped_root", lambda: shipped)
    assert code("ops.scan:ScanState") == before
