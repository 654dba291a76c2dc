"""The request for a backup or a plan, made from its options and checked."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from producer.cli.call import Call
from producer.cli.options.choosing import exclusions_from
from producer.cli.options.sources.naming import is_volume_name, volume_name
from producer.cli.options.sources.paths import absolute
from producer.cli.options.sources.sources import choose_sources
from producer.cli.options.volumes import sources_of, with_lists
from producer.configuration.values.sizes import format_size, parse_size
from producer.requests import BackupRequest, Exclusions, PlanOptions, Source
from producer.run.kept_out import is_kept_out
from producer.run.preflight import check_apart, check_devices, check_sources
from tasks.errors import UsageError
from tasks.values import MAX_SEGMENT_BYTES, MAX_UNITS_COUNT

_BLOCK_BYTES = PlanOptions().block_bytes


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
        # Whoever asks: these words come from the configuration.
        asker = "fleet" if asker == "master" else asker
    _check_lists(call, sources, files_from, by_nul=by_nul, mode=choices["mode"])
    chosen = choose_sources(sources or ("/",), call.configuration, volume=volume, asker=asker)
    if files_from:
        from producer.cli.options.sources.listed import with_listed

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
    if choices["unit_size"] % _BLOCK_BYTES:
        raise UsageError(
            f"--unit-size {choices['unit_size']} is not a multiple of the block size",
            hint=f"the block size is {_BLOCK_BYTES} bytes ({format_size(_BLOCK_BYTES)})",
        )
    _refuse_more_copies_than_devices(choices["copies"], len(devices))
    _refuse_impossible_parity(choices["parity"], choices["copies"], len(devices))
    tables = call.configuration.devices
    return PlanOptions(
        split=choices["split"],
        copies=choices["copies"],
        parity=choices["parity"],
        order=choices["order"],
        balance=choices["balance"],
        bundle=choices["bundle"] == "on",
        reserve_bytes=choices["reserve"],
        reserves_bytes={name: parse_size(table.reserve) for name, table in tables.items() if table.reserve},
        weights={name: table.weight for name, table in tables.items()},
        segment_bytes=min(choices["segment_size"], MAX_UNITS_COUNT * choices["unit_size"], MAX_SEGMENT_BYTES),
        unit_bytes=choices["unit_size"],
    )


def _refuse_impossible_parity(parity: int, copies: int, devices_count: int) -> None:
    if parity and copies > 1:
        raise UsageError(
            f"--copies {copies} and --parity {parity} exclude each other",
            hint="copies cost more room and are read faster; with parity say --copies 1",
        )
    # With one device less each group has one member: as dear as copies, and slower.
    if parity and parity + 2 > devices_count:
        there = "there is one" if devices_count == 1 else f"there are {devices_count}"
        raise UsageError(
            f"--parity {parity} needs at least {parity + 2} devices, and {there}",
            hint="name more devices, or keep copies: --copies 2",
        )


def _refuse_more_copies_than_devices(copies: int, devices_count: int) -> None:
    if copies > devices_count:
        there = "there is one" if devices_count == 1 else f"there are {devices_count}"
        raise UsageError(
            f"--copies {copies} needs {copies} devices, and {there}",
            hint="name more devices, or ask for fewer copies",
        )
