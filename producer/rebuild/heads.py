"""Which snapshots the devices hold, by the heads of their manifests.

Pure: what was read is given.  A head that is damaged on one device is sound on another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from blake3 import blake3
from msgspec import Struct

from producer.manifest import ManifestHead, decode_head, head_name
from tasks.errors import DamagedError, DeviceError


class FoundHead(Struct, frozen=True, kw_only=True):
    """The head of a snapshot, and the names of the devices that have just this one."""

    head: ManifestHead
    digest: bytes
    devices: tuple[str, ...]


class BadHead(Struct, frozen=True, kw_only=True):
    """A head that is not what the snapshot's other devices have, or that no device has whole."""

    snapshot_id: str
    device: str
    why: str
    #: Not damaged, but another one.
    is_sound: bool = False


def choose_head(
    snapshot_id: str, copies: Mapping[str, bytes], pools: Mapping[str, str]
) -> tuple[FoundHead | None, list[BadHead]]:
    """The snapshot's head out of what its devices have, and the copies that are bad.

    ``copies``: device → the file.  ``pools``: device → its pool, which the head must name.  Of sound heads that differ
    the one that most devices have counts; of equally many the one that was sealed last.
    """
    sound: dict[str, ManifestHead] = {}
    bad: list[BadHead] = []
    for device, data in copies.items():
        try:
            sound[device] = _checked(decode_head(data), snapshot_id, pools[device])
        except DeviceError as error:
            bad.append(BadHead(snapshot_id=snapshot_id, device=device, why=str(error)))
    if not sound:
        return None, bad
    count = Counter(copies[device] for device in sound)
    best = max(sound, key=lambda device: (count[copies[device]], sound[device].ended, copies[device]))
    agreeing = tuple(sorted(device for device in sound if copies[device] == copies[best]))
    bad += (
        BadHead(snapshot_id=snapshot_id, device=device, why=f"differs from that of device {agreeing[0]}", is_sound=True)
        for device in sorted(sound.keys() - set(agreeing))
    )
    return FoundHead(head=sound[best], digest=blake3(copies[best]).digest(), devices=agreeing), bad


def _checked(head: ManifestHead, snapshot_id: str, pool_id: str) -> ManifestHead:
    if head.snapshot_id != snapshot_id:
        raise DamagedError(f"{head_name(snapshot_id)} is the head of snapshot {head.snapshot_id[:8]}")
    if head.pool_id != pool_id:
        raise DamagedError("belongs to another pool")
    return head


def parents_first(found: Iterable[FoundHead]) -> list[FoundHead]:
    """In the order in which they were made: by their starts, but a parent before its children whatever clocks said."""
    by_id = {one.head.snapshot_id: one for one in sorted(found, key=lambda one: one.head.started)}
    ordered: dict[str, FoundHead] = {}
    for one in by_id.values():
        line = _line_of(one, by_id, ordered)
        ordered.update((ancestor.head.snapshot_id, ancestor) for ancestor in reversed(line))
    return list(ordered.values())


def _line_of(one: FoundHead, by_id: Mapping[str, FoundHead], done: Collection[str]) -> Sequence[FoundHead]:
    """The snapshot and its ancestors that are not done yet, youngest first.  Forged heads may name each other."""
    line: dict[str, FoundHead] = {}
    at: FoundHead | None = one
    while at is not None and at.head.snapshot_id not in done and at.head.snapshot_id not in line:
        line[at.head.snapshot_id] = at
        at = by_id.get(at.head.parent_id)
    return list(line.values())
