"""`milan completion`: scripts that complete every command, option and known value."""

import shutil
import subprocess

import pytest

from milan_core.cli import COMMANDS, build_parser, main
from milan_core.cli.completion import SHELLS, described

LINES = {  # what stands on the line, the last word under the cursor: what must be offered
    ("milan", "d"): {"describe", "digests", "doctor"},
    ("milan", "atlas", ""): {"build", "pack", "open", "import"},
    ("milan", "atlas", "build", "--ti"): {"--title"},
    ("milan", "describe", "--geometry", ""): {"crop", "squash", "keep"},
    ("milan", "fetch", "milan_b"): {"milan_base", "milan_biggan"},
    ("milan", "describe", "--describer", "p"): {"pool", "published"},
    ("milan", "mine", "e"): {"export"},
    ("milan", "mine", "i"): {"import"},
}
BASH = """
source "$1"
shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _milan
printf '%s\\n' "${COMPREPLY[@]}"
"""
ZSH = """
compdef() { :; }
_files() { :; }
compadd() { shift; printf '%s\\n' "$@"; }
_describe() { local one; for one in ${(P)2}; do printf '%s\\n' "${one%%:*}"; done; }
source "$1"
shift
words=("$@"); CURRENT=$#; _milan
"""
FISH = """
source $argv[1]
complete -C (string join ' ' -- $argv[2..]) | string split -f1 \\t; true
"""


def offered(shell, script, line):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed here")
    code = {"bash": BASH, "zsh": ZSH, "fish": FISH}[shell]
    name = ["-c", code, "-"] if shell != "fish" else ["-c", code]
    done = subprocess.run(
        [shell, *name, str(script), *line], check=True, capture_output=True, text=True
    )
    return {word for word in done.stdout.split() if word.startswith(line[-1])}


@pytest.mark.parametrize("shell", sorted(SHELLS))
def test_the_shell_offers_commands_options_and_values(tmp_path, capsys, shell):
    assert main(["completion", shell]) == 0
    script = tmp_path / "script"
    script.write_text(capsys.readouterr().out)
    for line, expected in LINES.items():
        assert offered(shell, script, line) == expected, line


@pytest.mark.parametrize("shell", sorted(SHELLS))
def test_every_command_and_option_is_in_the_script(shell):
    known = list(described(build_parser()))
    assert {one.path for one in known} > {f"/{name}" for name in COMMANDS}
    script = SHELLS[shell](known)
    for one in known:
        assert all(name in script for name in one.words)
        flags = [flag.lstrip("-") for option in one.options for flag in option.flags]
        assert all(flag in script for flag in flags)
