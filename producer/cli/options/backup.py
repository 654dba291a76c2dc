"""The options of ``backup`` and ``plan``, and the request made from them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click

from producer.cli.call import Call
from producer.cli.options.choosing import choosing_options, exclusions_from, list_options
from producer.cli.options.completing import files, folders
from producer.cli.options.naming import is_volume_name, volume_name
from producer.cli.options.paths import absolute
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
from producer.cli.options.sources import choose_sources
from producer.cli.options.stream import stream_options
from producer.cli.options.volumes import sources_of, with_lists
from producer.configuration.sizes import format_size, parse_size
from producer.requests import BackupRequest, Exclusions, PlanOptions, Source
from producer.run.kept_out import is_kept_out
from producer.run.preflight import check_apart, check_devices, check_sources
from tasks.errors import UsageError
from tasks.values import MAX_SEGMENT_BYTES, MAX_UNIT_BYTES, MAX_UNITS_COUNT, MIN_UNIT_BYTES

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
    ),
    click.option(
        "--parent", metavar="SNAPSHOT", help="Compare with this snapshot.  [default: the newest of the volume]"
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
        help="Balance devices by the bytes of this run, by the share that is full, or by weight.",
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
    default_option("--ignore-ctime", is_flag=True, help="Take files as unchanged though their change time differs."),
    default_option("--ignore-inode", is_flag=True, help="Take files as unchanged though their inode number differs."),
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
    """Decorates a command that takes these options, as one keyword argument each, for :func:`request_from`."""
    return _decorated(command, (*_WHAT, *_OPTIONS))


def stream_and_backup_options(command: Command) -> Command:
    """As :func:`backup_options`, and those of streams."""
    return _decorated(command, (*_WHAT, *stream_options, *_OPTIONS))


def storing_options(command: Command) -> Command:
    """As :func:`backup_options`, without ``sources`` and ``volume``."""
    return _decorated(command, _OPTIONS)


def _decorated(command: Command, options: tuple[Callable[[Command], Command], ...]) -> Command:
    return functools.reduce(lambda decorated, option: option(decorated), reversed(options), command)


def request_from(
    call: Call,
    *,
    sources: tuple[str, ...],
    devices: dict[str, Path],
    volume: str | None,
    files_from: tuple[str, ...] = (),
    by_nul: bool = False,
    **choices: Any,
) -> BackupRequest:
    """The request, after checking what this host can check; raises UsageError."""
    asker, choices = call.asker, with_lists(choices, call.volume_table)
    if not sources and (volume is not None or not files_from):
        sources = sources_of(volume, call.configuration)
        # Whoever asks, these are the words of the configuration.
        asker = "fleet" if asker == "master" else asker
    _check_lists(call, sources, files_from, by_nul=by_nul, mode=choices["mode"])
    chosen = choose_sources(sources or ("/",), call.configuration, volume=volume, asker=asker)
    if files_from:
        from producer.cli.options.listed import with_listed

        chosen = with_listed(chosen, files_from, by_nul=by_nul)
    real_devices = check_devices(devices)
    exclusions = exclusions_from(call, chosen, choices)

    def kept_out(source: Source, path: Path) -> bool:
        return is_kept_out(source, path, exclusions)

    check_sources(chosen, kept_out)
    check_apart(chosen, real_devices, kept_out)
    return _request(call, chosen, devices, volume, exclusions, choices)


def stream_request_from(
    call: Call, source: Source, *, devices: dict[str, Path], volume: str | None, **choices: Any
) -> BackupRequest:
    """As :func:`request_from`, for a stream; exclusions mean nothing there."""
    check_devices(devices)
    request = _request(call, (source,), devices, volume, Exclusions(), with_lists(choices, call.volume_table))
    return replace(request, is_stream=True, mode="files")


def _request(
    call: Call,
    sources: tuple[Source, ...],
    devices: dict[str, Path],
    volume: str | None,
    exclusions: Exclusions,
    choices: dict[str, Any],
) -> BackupRequest:
    return BackupRequest(
        sources=sources,
        devices=devices,
        volume=_volume(volume, sources),
        plan=_plan_options(call, devices, choices),
        exclusions=exclusions,
        level=choices["level"],
        threads=choices["threads"],
        readers=choices["readers"],
        nice=choices["nice"],
        tags=choices["tags"],
        description=choices.get("description") or "",
        skip_if_unchanged=choices["skip_if_unchanged"],
        retries_count=choices["retries"],
        mode=choices["mode"],
        raw_above_count=choices["raw_above"],
        all_blocks=choices["all_blocks"],
        freeze=choices["freeze"],
        expect_ratio=choices["expect_ratio"],
        new_devices=choices["new_devices"],
        required_mounts=tuple(map(absolute, choices["required_mounts"])),
        allow_empty=choices["allow_empty"],
        parent=_parent(choices),
        force=choices.get("force", False),
        ignore_ctime=choices["ignore_ctime"],
        ignore_inode=choices["ignore_inode"],
    )


def _check_lists(call: Call, sources: tuple[str, ...], files_from: tuple[str, ...], *, by_nul: bool, mode: str) -> None:
    """Raises UsageError for lists that do not fit the other options."""
    if not files_from and by_nul:
        raise UsageError("-0 is for --files-from", hint="leave it out")
    if files_from and mode == "raw":
        raise UsageError("a raw volume is read as a whole", hint="leave out --files-from, or --mode raw")
    if files_from and not sources and call.broker_url is not None:
        raise UsageError("--files-from needs a SOURCE in a fleet", hint="name the source that contains the paths")


def _parent(choices: dict[str, Any]) -> str | None:
    if choices.get("parent") is not None and choices.get("force"):
        raise UsageError("--parent and --force exclude each other", hint="--force compares with no snapshot")
    parent: str | None = choices.get("parent")
    return parent


def _volume(name: str | None, sources: Iterable[Source]) -> str:
    if name is None:
        return volume_name([source.name for source in sources])
    if not is_volume_name(name):
        raise UsageError(
            f"{name!r} is not a valid volume name",
            hint="use 1 to 63 letters, digits, '-' and '_', starting with a letter or digit",
        )
    return name


def _plan_options(call: Call, devices: Collection[str], choices: dict[str, Any]) -> PlanOptions:
    if choices["unit_size"] % _PLAN.block_bytes:
        raise UsageError(
            f"--unit-size {choices['unit_size']} is not a multiple of the block size",
            hint=f"the block size is {_PLAN.block_bytes} bytes ({format_size(_PLAN.block_bytes)})",
        )
    _refuse_more_copies_than_devices(choices["copies"], len(devices))
    tables = call.configuration.devices
    return PlanOptions(
        split=choices["split"],
        copies=choices["copies"],
        order=choices["order"],
        balance=choices["balance"],
        bundle=choices["bundle"] == "on",
        reserve_bytes=choices["reserve"],
        reserves_bytes={name: parse_size(table.reserve) for name, table in tables.items() if table.reserve},
        weights={name: table.weight for name, table in tables.items()},
        segment_bytes=min(choices["segment_size"], MAX_UNITS_COUNT * choices["unit_size"], MAX_SEGMENT_BYTES),
        unit_bytes=choices["unit_size"],
    )


def _refuse_more_copies_than_devices(copies: int, devices_count: int) -> None:
    if copies > devices_count:
        there = "there is one" if devices_count == 1 else f"there are {devices_count}"
        raise UsageError(
            f"--copies {copies} needs {copies} devices, and {there}",
            hint="name more devices, or ask for fewer copies",
        )
