"""The options of ``backup`` and ``plan``; the request made from them is in ``backup_request.py``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click

from producer.cli.options.choosing import choosing_options, list_options
from producer.cli.options.completing import files, folders, known_volumes, stored_snapshots
from producer.cli.options.shared import (
    config_option,
    default_option,
    devices_option,
    json_option,
    nice_option,
    size_between,
    threads_option,
    wait_option,
)
from producer.cli.options.stream import stream_options
from producer.configuration.values.sizes import format_size
from producer.requests import PlanOptions
from tasks.groups import MAX_ROWS
from tasks.values import MAX_UNIT_BYTES, MIN_UNIT_BYTES

Command = TypeVar("Command", bound=Callable[..., Any])

_PLAN = PlanOptions()
_SEGMENT_SIZE = size_between(_PLAN.block_bytes)
_UNIT_SIZE = size_between(MIN_UNIT_BYTES, MAX_UNIT_BYTES)

_WHAT = (
    click.argument("sources", nargs=-1, metavar="[SOURCE...]", shell_complete=files),
    *list_options,
    wait_option,
    click.option(
        "--volume",
        metavar="NAME",
        help="Name of the volume; without SOURCE, the sources of its [volumes.NAME].  "
        "[default: made from the sources' names]",
        shell_complete=known_volumes,
    ),
    click.option(
        "--parent",
        metavar="SNAPSHOT",
        help="Compare with this snapshot.  [default: the newest of the volume]",
        shell_complete=stored_snapshots,
    ),
    click.option("--force", is_flag=True, help="Compare with no snapshot: read and store everything."),
)
_OPTIONS = (
    devices_option,
    default_option(
        "--new-devices/--known-devices-only",
        default=True,
        help="Make a device of each empty folder, or refuse folders without a marker.",
    ),
    default_option(
        "--copies",
        type=click.IntRange(1, 16),
        default=_PLAN.copies,
        metavar="N",
        help="Keep each segment on N devices, at different sites where there are several.",
    ),
    default_option(
        "--parity",
        type=click.IntRange(0, MAX_ROWS),
        default=_PLAN.parity,
        metavar="M",
        help="Store parity, so that any M devices may be lost.",
    ),
    default_option(
        "--split",
        type=click.Choice(["threshold", "remaining"]),
        default=_PLAN.split,
        help="Cut large files at the threshold, or to fit the space that remains on each device.",
    ),
    default_option(
        "--order",
        type=click.Choice(["descending", "ascending"]),
        default=_PLAN.order,
        help="Place the largest files first, or the smallest.",
    ),
    default_option(
        "--balance",
        type=click.Choice(["run", "free", "weight"]),
        default=_PLAN.balance,
        help="Balance devices by the bytes of this run, by the share in use, or by weight.",
    ),
    default_option("--bundle", type=click.Choice(["on", "off"]), default="on", help="Pack small files together."),
    default_option(
        "--reserve",
        type=size_between(0),
        metavar="SIZE",
        show_default="2 %, at least 1 GiB",
        help="Space to leave free on each device.",
    ),
    default_option(
        "--segment-size",
        type=_SEGMENT_SIZE,
        default=_PLAN.segment_bytes,
        show_default=format_size(_PLAN.segment_bytes),
        metavar="SIZE",
        help="Largest size of a segment.",
    ),
    default_option(
        "--unit-size",
        type=_UNIT_SIZE,
        default=_PLAN.unit_bytes,
        show_default=format_size(_PLAN.unit_bytes),
        metavar="SIZE",
        help=f"What one thread compresses into one frame; a multiple of {format_size(_PLAN.block_bytes)}.",
    ),
    default_option(
        "--level", type=click.IntRange(-7, 22), default=3, metavar="N", help="Compression level of zstd, -7 to 22."
    ),
    threads_option,
    default_option(
        "--readers",
        type=click.IntRange(1, 256),
        metavar="N",
        show_default="1 on a rotating disk, else all",
        help="How many workers of a host read a source's disk at the same time.",
    ),
    nice_option,
    default_option(
        "--retries",
        type=click.IntRange(0, 100),
        default=5,
        metavar="N",
        help="How often to retry a segment that failed.",
    ),
    *choosing_options,
    click.option(
        "--require-mount",
        "required_mounts",
        multiple=True,
        shell_complete=folders,
        metavar="PATH",
        help="Back up nothing unless something is mounted on PATH; repeat for more.",
    ),
    default_option("--ignore-ctime", is_flag=True, help="Treat files as unchanged even if their change time differs."),
    default_option("--ignore-inode", is_flag=True, help="Treat files as unchanged even if their inode number differs."),
    click.option("--allow-empty", is_flag=True, help="Accept a source that is suddenly empty."),
    default_option("--no-xattrs", is_flag=True, help="Leave out extended attributes, and so ACLs and capabilities."),
    default_option(
        "--mode",
        type=click.Choice(["auto", "files", "raw"]),
        default="auto",
        help="Read file by file, or the whole block device; auto: raw above --raw-above files.",
    ),
    default_option(
        "--raw-above",
        type=click.IntRange(min=1),
        default=100_000,
        metavar="N",
        help="With --mode auto: read a file system raw if it has more files than this.",
    ),
    click.option("--all-blocks", is_flag=True, help="Read the free blocks of raw volumes too."),
    click.option("--freeze", is_flag=True, help="Freeze mounted file systems while they are read as raw volumes."),
    click.option(
        "--expect-ratio",
        type=click.FloatRange(0.5, 10_000),
        metavar="X",
        help="Expect the data to shrink to 1/X.  [default: as in the volume's last snapshots]",
    ),
    default_option("--skip-if-unchanged", is_flag=True, help="Make no snapshot when nothing differs from the parent."),
    click.option("--tag", "tags", multiple=True, metavar="T", help="Tag the snapshot; repeat for more."),
    json_option,
    config_option,
)


def backup_options(command: Command) -> Command:
    """Decorates a command that takes these options, as one keyword argument each, for ``request_from``."""
    return _decorated(command, (*_WHAT, *_OPTIONS))


def stream_and_backup_options(command: Command) -> Command:
    """As :func:`backup_options`, and those of streams."""
    return _decorated(command, (*_WHAT, *stream_options, *_OPTIONS))


def storing_options(command: Command) -> Command:
    """As :func:`backup_options`, without ``sources`` and ``volume``."""
    return _decorated(command, _OPTIONS)


def _decorated(command: Command, options: tuple[Callable[[Command], Command], ...]) -> Command:
    return functools.reduce(lambda decorated, option: option(decorated), reversed(options), command)
