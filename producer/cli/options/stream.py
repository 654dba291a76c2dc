"""The options of a backup of a stream, and what they ask for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from producer.cli.call import Call
from producer.cli.options.shared import default_option, size_between
from producer.cli.options.sources.paths import absolute
from producer.host.state import open_state
from producer.requests import Source
from tasks.errors import UsageError

if TYPE_CHECKING:
    from producer.backup.streaming.origin import Origin

_LONGEST_NAME_BYTES = 255
_LEAST_SPOOL_BYTES = 1024 * 1024

stream_options = (
    click.option("--stdin", "from_stdin", is_flag=True, help="Back up standard input, as one file."),
    click.option(
        "--stdin-from-command",
        "from_command",
        is_flag=True,
        help="Back up what the command after -- writes, as one file; fail if it fails.",
    ),
    click.option(
        "--stdin-filename",
        "stream_name",
        default="stdin",
        show_default=True,
        metavar="NAME",
        help="Name of that file, and of its source.",
    ),
    default_option(
        "--spool",
        metavar="FOLDER",
        show_default="in the state folder",
        help="Where a stream waits until it is stored.",
    ),
    default_option(
        "--spool-size",
        type=size_between(_LEAST_SPOOL_BYTES),
        metavar="SIZE",
        show_default="3 segments for each device",
        help="How much of a stream may wait.",
    ),
)


def source_of(name: str) -> Source:
    """The source of a stream called ``name``; raises UsageError for an invalid file name."""
    if name in ("", ".", "..") or "/" in name or len(name.encode("utf-8", "surrogateescape")) > _LONGEST_NAME_BYTES:
        raise UsageError(f"--stdin-filename {name!r} is not a file name", hint="give a name without a slash")
    return Source(name=name, path=Path("/dev/stdin"))


def origin_of(choices: dict[str, Any], words: tuple[str, ...], behind: tuple[str, ...] | None) -> Origin | None:
    """Where the stream of a command line comes from; None if it asks for none.

    ``words``: all words of the command line, ``behind`` those after ``--``.  Raises UsageError where they do not fit.
    """
    if not choices["from_stdin"] and not choices["from_command"]:
        return None
    _check(choices, words, behind)
    # Imported only here: it waits for no plain backup.
    from producer.backup.streaming.origin import Origin

    spool = choices["spool"]
    return Origin(
        command=words if choices["from_command"] else (),
        spool=absolute(spool) if spool else open_state().spool_dir,
        spool_bytes=choices["spool_size"],
    )


def _check(choices: dict[str, Any], words: tuple[str, ...], behind: tuple[str, ...] | None) -> None:
    if choices["from_stdin"] and choices["from_command"]:
        raise UsageError("--stdin and --stdin-from-command are two streams", hint="leave one out")
    if choices["from_stdin"] and words:
        raise UsageError("a stream is backed up alone", hint="leave out the SOURCE, or --stdin")
    if choices["from_command"] and not words:
        raise UsageError("no command is named", hint="name it last: --stdin-from-command -- pg_dump mydb")
    if choices["from_command"] and words != behind:
        raise UsageError("a stream is backed up alone", hint="name the command after --, and no SOURCE before it")
    if choices["dry_run"]:
        raise UsageError("a stream cannot be planned: its length is known at its end", hint="leave out --dry-run")
    for option, given in (
        ("--files-from", choices["files_from"]),
        ("--freeze", choices["freeze"]),
        ("--mode raw", choices["mode"] == "raw"),
    ):
        if given:
            raise UsageError(f"{option} is not for streams", hint="leave it out")


def name_of(call: Call, choices: dict[str, Any]) -> str:
    """The name of the stream's source; raises UsageError for one that is configured."""
    name = str(choices["stream_name"])
    if name in call.configuration.sources:
        raise UsageError(f"{name} is a source of the configuration", hint="give --stdin-filename another name")
    return name
