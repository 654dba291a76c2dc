"""The help of a command with many options: by what they are about."""

from __future__ import annotations

from collections.abc import Iterable

import click

#: Fewer options need no sections.
_MANY_COUNT = 20

_PERIODS = ("hourly", "daily", "weekly", "monthly", "yearly")

#: Of every command: what it keeps.
_KEPT = {
    "What is kept": frozenset(
        {
            "keep_last",
            "keep_within",
            "keep_tag",
            *(f"keep_{p}" for p in _PERIODS),
            *(f"keep_within_{p}" for p in _PERIODS),
        }
    )
}

#: Title → parameters, of commands that store.  What is in none comes last.
_SECTIONS: dict[str, frozenset[str]] = {
    "When": frozenset({"cron", "timezone", "catch_up", "overlap"}),
    "What is backed up": frozenset(
        {"volume", "files_from", "by_nul", "required_mounts", "allow_empty", "no_xattrs", "tags", "description"}
    ),
    "What is left out": frozenset(
        {
            *("patterns", "patterns_any_case", "exclude_files", "ignore_files", "exclude_larger_than"),
            *("exclude_nodump", "exclude_caches", "exclude_if_present", "one_file_system"),
        }
    ),
    "Streams": frozenset({"from_stdin", "from_command", "stream_name", "spool", "spool_size"}),
    "What has changed": frozenset({"parent", "force", "ignore_ctime", "ignore_inode", "skip_if_unchanged"}),
    "Devices": frozenset({"devices", "new_devices", "reserve", "balance"}),
    "Plan": frozenset(
        {"dry_run", "svg", "split", "order", "bundle", "segment_size", "unit_size", "expect_ratio", "copies", "parity"}
    ),
    "Speed": frozenset({"level", "threads", "readers", "nice", "retries"}),
    "Raw volumes": frozenset({"mode", "raw_above", "all_blocks", "freeze"}),
}


def write_options(params: Iterable[click.Parameter], ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """As click does, in sections where there are many."""
    options = [param for param in params if isinstance(param, click.Option)]
    records = {option.name or "": record for option in options if (record := option.get_help_record(ctx)) is not None}
    if len(records) >= _MANY_COUNT:
        for title, names in (_KEPT | (_SECTIONS if "split" in records else {})).items():
            found = [record for name, record in records.items() if name in names]
            records = {name: record for name, record in records.items() if name not in names}
            if found:
                with formatter.section(title):
                    formatter.write_dl(found)
    with formatter.section("Options"):
        formatter.write_dl(list(records.values()))
