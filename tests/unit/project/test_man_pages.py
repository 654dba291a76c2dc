"""make man: a man page for each command, with all its options."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click

from kit.program.commands import all_commands
from kit.repository import REPOSITORY


def test_each_command_gets_a_man_page_with_all_its_options(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(REPOSITORY / "docs/man_pages.py"), str(tmp_path)], check=True)

    pages = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert "segfleet.1" in pages and "segfleet-schedule-add.1" in pages and "segfleet-devices-lost.1" in pages
    for name, command in all_commands().items():
        text = pages.pop(f"segfleet-{name}.1")
        options = [option for option in command.params if isinstance(option, click.Option) and not option.hidden]
        names = [name.replace("-", r"\-") for option in options for name in option.opts]
        assert [name for name in names if name not in text] == [], command.name
        assert ".SH SYNOPSIS\n" in text and ".SH DESCRIPTION\n.PP\n" in text


def test_nothing_in_a_text_is_an_order_to_the_formatter(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(REPOSITORY / "docs/man_pages.py"), str(tmp_path)], check=True)

    orders = {".TH", ".SH", ".PP", ".TP", ".B", ".BR", ".nf", ".fi"}
    lines = [line for path in tmp_path.iterdir() for line in path.read_text().splitlines()]
    assert {line.split()[0] for line in lines if line.startswith((".", "'"))} == orders
