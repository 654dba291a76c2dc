"""Tab in bash, zsh and fish: commands, options, files, and names from the catalog and the configuration."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from click.shell_completion import ShellComplete

from kit.needs import program
from kit.program.forking.shim import make_forking_shim
from kit.program.machine import Machine
from kit.program.terminal import Terminal, terminal
from kit.tree import Tree, noise
from producer.cli.main import segfleet


@pytest.fixture(scope="module")
def stored(shared_machine: Machine) -> Machine:
    source = Tree({"file": noise(30_000)}).make(shared_machine.folder / "data")
    shared_machine.devices("first")
    also = f'[sources.data]\npath = "{source}"\n[volumes.data]\nsources = ["data"]\n'
    shared_machine.limit("first", None, also=also)
    shared_machine.succeed("backup", "--volume", "data")
    (shared_machine.folder / "patterns-of-mine").touch()
    make_forking_shim(shared_machine.folder / "bin", shared_machine.adopt)
    return shared_machine


def offered(*words: str) -> list[str]:
    """For the last word."""
    complete = ShellComplete(segfleet, {}, "segfleet", "_SEGFLEET_COMPLETE")
    return [item.value for item in complete.get_completions(list(words[:-1]), words[-1])]


def test_names_come_from_the_catalog_and_the_configuration(stored: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in stored.environment().items():
        monkeypatch.setenv(name, value)
    assert offered("restore", "la") == ["latest"]
    assert offered("ls", "data") == ["data@latest"]
    assert offered("backup", "--volume", "d") == ["data"]
    assert offered("devices", "lost", "f") == ["first"]
    assert offered("help", "snap") == ["snapshots"]
    assert "--expect-ratio" in offered("backup", "--e")


#: Shell → how it is started, and what it reads the completion by.
SHELLS = {
    "bash": ("bash --norc --noprofile", "source <(segfleet completion bash)"),
    "zsh": ("zsh -f", "autoload -U compinit; compinit -u -D; source <(segfleet completion zsh)"),
    "fish": ("fish --no-config --private", "segfleet completion fish | source"),
}
#: What is typed before Tab, and the line that it becomes.
LINES = {
    "segfleet snap": "segfleet snapshots",
    "segfleet restore la": "segfleet restore latest",
    "segfleet backup --exclude-file patt": "segfleet backup --exclude-file patterns-of-mine",
}


@contextmanager
def opened(stored: Machine, shell: str) -> Iterator[Terminal]:
    program(shell)
    environment = stored.environment({"PATH": f"{stored.folder / 'bin'}:{os.environ['PATH']}"})
    with terminal(stored.folder / f"tmux-{shell}", 100, folder=stored.folder, environment=environment) as made:
        for line in SHELLS[shell]:
            made.keys(line, "Enter")
        # In two words, so that it is not the line that is typed.
        made.keys("printf 'read%sit\\n' y-", "Enter")
        made.wait_for(lambda lines: "ready-it" in lines, f"{shell} has read the completion")
        yield made


@pytest.mark.parametrize("shell", SHELLS)
def test_tab_completes_commands_options_names_and_files(stored: Machine, shell: str) -> None:
    with opened(stored, shell) as screen:
        for typed, wanted in LINES.items():
            screen.keys(typed, "Tab")
            screen.wait_for(
                lambda lines, wanted=wanted: any(line.rstrip().endswith(wanted) for line in lines),  # type: ignore[misc]
                f"{typed} becomes {wanted}",
            )
            # Empties the line; after Ctrl-C a slow shell might lose what is typed before its next prompt.
            screen.keys("C-u")
