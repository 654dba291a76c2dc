"""Writes a man page for each command: docs/man_pages.py FOLDER, or make man.

Not by click-man: it takes the commands that are registered with the program (``cli.commands``), and ours are imported
when somebody asks for them, so it would write one page, of a program without commands.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from producer.cli.main import segfleet

SECTION = 1


def pages() -> Iterator[tuple[str, str]]:
    """(name, text) of the program's page and of each command's: segfleet, segfleet-schedule-add."""
    yield from _pages(click.Context(segfleet, info_name="segfleet", **segfleet.context_settings))


def _pages(ctx: click.Context) -> Iterator[tuple[str, str]]:
    yield ctx.command_path.replace(" ", "-"), "\n".join(_lines(ctx)) + "\n"
    for child in _children(ctx):
        yield from _pages(child)


def _children(ctx: click.Context) -> list[click.Context]:
    if not isinstance(ctx.command, click.Group):
        return []
    named = ((name, ctx.command.get_command(ctx, name)) for name in ctx.command.list_commands(ctx))
    shown = [(name, command) for name, command in named if command is not None and not command.hidden]
    return [click.Context(command, info_name=name, parent=ctx) for name, command in shown]


def _lines(ctx: click.Context) -> Iterator[str]:
    command = ctx.command
    name = ctx.command_path.replace(" ", "-")
    yield f'.TH {name.upper()} {SECTION} "" segfleet segfleet'
    yield ".SH NAME"
    yield _safe(f"{name} - {command.get_short_help_str(limit=200).rstrip('.')}")
    yield ".SH SYNOPSIS"
    yield f".B {_safe(ctx.command_path)}"
    yield _safe(" ".join(command.collect_usage_pieces(ctx)))
    yield ".SH DESCRIPTION"
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        yield from _paragraph(paragraph)
    yield ".SH OPTIONS"
    # Groups that do something without a word have the options of that.
    listed = command.get_command(ctx, "list") if isinstance(command, click.Group) else None
    params = (listed if listed is not None and listed.hidden else command).get_params(ctx)
    options = [param for param in params if isinstance(param, click.Option)]
    for record in filter(None, (option.get_help_record(ctx) for option in options)):
        yield ".TP"
        yield f".B {_safe(record[0])}"
        yield _safe(record[1])
    children = _children(ctx)
    if children:
        yield ".SH COMMANDS"
    for child in children:
        yield ".TP"
        yield f".BR {_safe(child.command_path.replace(' ', '-'))} ({SECTION})"
        yield _safe(child.command.get_short_help_str(limit=200))


def _paragraph(text: str) -> Iterator[str]:
    r"""Click keeps the lines of a paragraph that begins with \b."""
    is_verbatim = text.startswith("\b")
    yield ".PP"
    if is_verbatim:
        yield ".nf"
    lines = text.removeprefix("\b").strip("\n").splitlines()
    yield from map(_safe, lines if is_verbatim else [" ".join(lines)])
    if is_verbatim:
        yield ".fi"


def _safe(text: str) -> str:
    """Nothing in it is an order to roff."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + escaped if escaped.startswith((".", "'")) else escaped


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages():
        (folder / f"{name}.{SECTION}").write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
