"""The options that choose what of the sources is backed up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from producer.cli.call import Call
from producer.cli.options.completing import files
from producer.cli.options.shared import Command, default_option, size_between
from producer.requests import Exclusions, Source
from tasks.errors import UsageError

#: For one backup; a schedule has no list, for nobody could say when it is read.
list_options = (
    click.option(
        "--files-from",
        "files_from",
        multiple=True,
        metavar="FILE",
        shell_complete=files,
        help="Back up only the paths in FILE, one per line, as they are; - is standard input.",
    ),
    click.option("-0", "--null", "by_nul", is_flag=True, help="Each path in a --files-from file ends with a NUL."),
)

_pattern_options = (
    click.option(
        "-e",
        "--exclude",
        "patterns",
        multiple=True,
        metavar="PATTERN",
        help="Skip paths that match PATTERN (gitignore syntax).",
    ),
    click.option(
        "--iexclude",
        "patterns_any_case",
        multiple=True,
        metavar="PATTERN",
        help="Like --exclude, but ignore case.",
    ),
    click.option(
        "--exclude-file",
        "exclude_files",
        multiple=True,
        metavar="FILE",
        shell_complete=files,
        help="Read patterns from FILE, one per line.",
    ),
)

#: Of a backup.
choosing_options = (
    *_pattern_options,
    click.option(
        "--ignore-file",
        "ignore_files",
        multiple=True,
        metavar="NAME",
        help="Obey files called NAME in the sources, such as .gitignore, for what is below them.",
    ),
    default_option(
        "--exclude-larger-than", type=size_between(0), metavar="SIZE", help="Skip files of more than SIZE bytes."
    ),
    default_option(
        "--exclude-nodump", is_flag=True, help="Skip files and folders with the flag 'no dump' (chattr +d)."
    ),
    default_option("--exclude-caches", is_flag=True, help="Skip the contents of folders with a CACHEDIR.TAG."),
    click.option("--exclude-if-present", multiple=True, metavar="NAME", help="Skip folders that contain NAME."),
    click.option(
        "-x",
        "--one-file-system",
        is_flag=True,
        envvar="SEGFLEET_ONE_FILE_SYSTEM",
        show_envvar=True,
        help="Do not cross into other file systems.",
    ),
)


def pattern_options(command: Command) -> Command:
    """Add the options that name patterns, for :func:`patterns_from`."""
    for option in reversed(_pattern_options):
        command = option(command)
    return command


def patterns_from(patterns: Iterable[str], any_case: tuple[str, ...], files: Iterable[str]) -> Exclusions:
    """What these options leave out; raises UsageError for a file that cannot be read."""
    return Exclusions(patterns=(*_patterns_in(files), *patterns), patterns_any_case=any_case)


def exclusions_from(call: Call, sources: tuple[Source, ...], choices: dict[str, Any]) -> Exclusions:
    """Raises UsageError for a file of patterns that cannot be read, and for patterns of one source among several."""
    patterns = [*_configured_patterns(call, sources), *_patterns_in(choices["exclude_files"])]
    return Exclusions(
        patterns=(*patterns, *choices["patterns"]),
        patterns_any_case=choices["patterns_any_case"],
        larger_than_bytes=choices["exclude_larger_than"],
        no_dump=choices["exclude_nodump"],
        caches=choices["exclude_caches"],
        if_present=choices["exclude_if_present"],
        ignore_files=choices["ignore_files"],
        one_file_system=choices["one_file_system"],
        attributes=choices["no_xattrs"],
    )


def _patterns_in(files: Iterable[str]) -> Iterator[str]:
    for name in files:
        # Only here: most calls have no such file, and the walk takes a while to import.
        from producer.walk import read_exclude_file

        yield from read_exclude_file(Path(name))


def _configured_patterns(call: Call, sources: tuple[Source, ...]) -> tuple[str, ...]:
    """The patterns of the one source's table; raises UsageError if they would apply to another source too."""
    tables = call.configuration.sources
    excluding = [source.name for source in sources if source.name in tables and tables[source.name].exclude]
    if not excluding:
        return ()
    if len(sources) > 1:
        raise UsageError(
            f"source {excluding[0]} has its own exclude list, which would apply to the other sources too",
            hint="back it up alone, or use -e, which applies to all sources",
        )
    return tables[excluding[0]].exclude
