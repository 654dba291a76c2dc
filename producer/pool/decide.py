"""Which devices take part: what the workers report, what the catalog remembers, what follows.

Pure.  The devices of one pool share a pool id; an empty folder joins the pool of the others; all empty makes a new
pool (docs/architecture.md).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from msgspec import Struct, field

from producer.pool.known import KnownDevice, why_not_new
from producer.pool.refusals import refuse_copies, refuse_shared_folders, refuse_unknown_out_of_reach, refuse_unusable
from tasks.errors import NotADeviceError
from tasks.receipts import DeviceReport

NO_HOSTS: Mapping[str, str] = MappingProxyType({})


class PoolDecision(Struct, frozen=True, kw_only=True):
    pool_id: str
    #: Devices that have their marker: name → device id.
    ready: dict[str, str]
    #: Empty folders that get a marker: name → new device id.
    adopt: dict[str, str]
    #: Devices of the pool that are not there now: name → why.
    absent: dict[str, str]
    #: Devices of the pool that can be read, and not written: name → why.
    read_only: dict[str, str] = field(default_factory=dict)


def decide_pool(
    reports: Mapping[str, DeviceReport],
    paths: Mapping[str, Path],
    known: Sequence[KnownDevice],
    hosts: Mapping[str, str] = NO_HOSTS,
) -> PoolDecision:
    """Sort the devices into ready, to be adopted, read-only, and absent.

    ``known``: the devices that the catalog remembers.  One whose folder is missing, or holds no marker, is absent: an
    unmounted mount point is not a device, and must not become one (:func:`producer.pool.known.why_not_new`).
    ``hosts``: device → host, where they are not all at one.
    Raises NotADeviceError or UsageError for what a person has to settle.
    """
    # By name, not by who answered first: what is said of them is the same each time.
    reports = dict(sorted(reports.items()))
    refuse_shared_folders(reports, paths, hosts)
    refuse_copies(reports, paths)
    refuse_unknown_out_of_reach(reports, paths, known)
    for name, report in reports.items():
        refuse_unusable(name, report, paths[name])
    ready = {name: report.device_id for name, report in reports.items() if report.condition == "ready"}
    read_only = {name: its.detail for name, its in reports.items() if is_read_only(its)}
    pool_id = _one_pool({name: reports[name].pool_id for name in (*ready, *read_only)})
    absent = {name: why for name, why in _absent(reports, paths, known).items() if name not in read_only}
    if not ready and read_only:
        raise NotADeviceError(
            "no device of the pool can be written: " + _in_words(read_only | absent),
            hint="mount at least one of the devices writable, and run the command again; restores work meanwhile",
        )
    if not ready and absent:
        # New devices alone would make a pool of their own, which the absent ones could never join.
        raise NotADeviceError(
            "no device of the pool is available: " + _in_words(absent),
            hint="mount at least one of the devices, and run the command again",
        )
    return PoolDecision(
        pool_id=pool_id or uuid.uuid4().hex,
        ready=ready,
        adopt={name: uuid.uuid4().hex for name in reports if name not in {*ready, *absent, *read_only}},
        absent=absent,
        read_only=read_only,
    )


def decide_readable(reports: Mapping[str, DeviceReport], paths: Mapping[str, Path]) -> PoolDecision:
    """The devices whose marker can be read, all of one pool, for what writes none of them.

    Raises NotADeviceError, also when none can be read, or UsageError for what a person has to settle.
    """
    reports = dict(sorted(reports.items()))
    refuse_shared_folders(reports, paths, NO_HOSTS)
    refuse_copies(reports, paths)
    ready = {name: report for name, report in reports.items() if is_readable(report)}
    absent = {name: report.detail or f"{paths[name]} is {report.condition}" for name, report in reports.items()}
    if not ready:
        raise NotADeviceError(
            "no device is available: " + _in_words(absent),
            hint="mount the devices, and name their folders with --device",
            path=str(paths[next(iter(absent))]),
        )
    return PoolDecision(
        pool_id=_one_pool({name: report.pool_id for name, report in ready.items()}),
        ready={name: report.device_id for name, report in ready.items()},
        adopt={},
        absent={name: why for name, why in absent.items() if name not in ready},
    )


def is_readable(report: DeviceReport) -> bool:
    """Reading needs a marker and no more: a device that is mounted read-only will do."""
    return report.condition in ("ready", "unwritable") and bool(report.device_id)


def is_read_only(report: DeviceReport) -> bool:
    """Whether it is a device that restores can use, and backups cannot."""
    return report.condition == "unwritable" and bool(report.device_id)


def refuse_new(decision: PoolDecision, paths: Mapping[str, Path]) -> None:
    """Raises NotADeviceError if the decision has new devices."""
    if decision.adopt:
        raise NotADeviceError(
            "only known devices may be used, and these folders are empty: "
            + "; ".join(f"{name}: {paths[name]}" for name in decision.adopt),
            hint="are they mounted?  To make devices of them, use --new-devices",
            path=str(paths[next(iter(decision.adopt))]),
        )


def _absent(
    reports: Mapping[str, DeviceReport], paths: Mapping[str, Path], known: Sequence[KnownDevice]
) -> dict[str, str]:
    """The devices that are neither ready nor new → why."""
    found = {
        name: why_not_new(name, paths[name], reports, known) if report.condition == "empty" else report.detail
        for name, report in reports.items()
        if report.condition != "ready"
    }
    return {name: why for name, why in found.items() if why or reports[name].condition != "empty"}


def new_names(ready: Mapping[str, str], recorded: Mapping[str, str]) -> dict[str, str]:
    """Old name → new name, of the devices that bear another name than they are recorded with.

    ``ready``: name → device id, ``recorded``: device id → name.  Raises NotADeviceError where the new name is that of
    another device: two rows of one name would hide each other.
    """
    renamed = {recorded[key]: name for name, key in ready.items() if recorded.get(key, name) != name}
    for old, new in renamed.items():
        if new in recorded.values():
            raise NotADeviceError(
                f"device {new}: its folder is that of device {old}, and {new} is another device",
                hint=f"call it {old}, as before, or by a name that no other device has",
            )
    for name, key in ready.items():
        if key not in recorded and name in recorded.values():
            raise NotADeviceError(
                f"device {name}: its folder holds a device {key[:8]}, and {name} is another device",
                hint=f"call it by a name that no other device has; if {name} is gone: segfleet devices lost {name}",
            )
    return renamed


def _in_words(reasons: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {why}" for name, why in reasons.items())


def _one_pool(pools: Mapping[str, str]) -> str:
    """The pool id that all share, "" when there is none yet; raises NotADeviceError."""
    ids = sorted(set(pools.values()))
    if len(ids) > 1:
        members = "; ".join(
            f"pool {pool[:8]}: {', '.join(name for name in pools if pools[name] == pool)}" for pool in ids
        )
        raise NotADeviceError(
            f"the devices belong to different pools ({members})",
            hint="name the devices of one pool only",
        )
    return ids[0] if ids else ""
