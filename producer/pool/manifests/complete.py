"""Manifests that a device lacks: it was away when they were written, or lost them; the others have them."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Set

from blake3 import blake3
from msgspec import Struct

from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.manifest import decode_head, head_name
from producer.pool.manifests.fetching import Fetcher, WantedFile
from producer.pool.members import Member
from producer.run.session import RunSession
from producer.run.wave import run_wave
from tasks.errors import DamagedError
from tasks.orders import Order, PutManifest
from tasks.receipts import Receipt

#: Files in memory at once: each is up to 6 MiB.
_FILES_COUNT = 4


class Completed(Struct, frozen=True, kw_only=True):
    """``snapshots_count``: of which a device got the manifest.  ``failures``: what could not be done, in words."""

    snapshots_count: int
    failures: tuple[str, ...]


def complete_manifests(
    session: RunSession, snapshots: Iterable[SnapshotRow], members: Mapping[str, Member], *, to: Collection[str]
) -> Completed:
    """Copy to the live ones of the devices ``to`` the manifests that they lack; the head last, as at the seal.

    ``snapshots``: sealed ones of the members' pool.  Their holders are recorded as they come.  Idempotent; what fails
    is left for the next time.
    """
    done_count, failures = 0, dict[str, None]()
    live = {name: one for name, one in members.items() if one.is_live}
    for snapshot in snapshots:
        having = tuple(name for name, one in live.items() if one.device_id in snapshot.holders)
        lacking = live.keys() & set(to) - set(having)
        if not lacking or not having:
            continue
        try:
            taken = _copy(session, snapshot, live, having, lacking)
        except DamagedError as error:
            failures[f"snapshot {snapshot.snapshot_id[:8]}: {error}"] = None
            continue
        failures |= {f"device {name} did not take the manifests that it lacks": None for name in lacking - taken}
        done_count += bool(taken)
        holders = {*snapshot.holders, *(live[name].device_id for name in taken)}
        session.catalog.remains.set_holders(snapshot.snapshot_id, holders)
    return Completed(snapshots_count=done_count, failures=tuple(failures))


def bring_up_to_date(session: RunSession, pool_id: str, members: Mapping[str, Member]) -> None:
    """Give each device the manifests of the snapshots that were sealed since it joined, while it was away.

    Older manifests come with the snapshots that need them; :mod:`producer.repair` copies all of them.
    """
    snapshots = [row for row in session.catalog.snapshots.all() if row.pool_id == pool_id]
    for name, one in members.items():
        first = next((place for place, row in enumerate(snapshots) if one.device_id in row.holders), len(snapshots))
        for failure in complete_manifests(session, snapshots[first:], members, to={name}).failures:
            session.observer.note(failure)


def _copy(
    session: RunSession,
    snapshot: SnapshotRow,
    members: Mapping[str, Member],
    having: tuple[str, ...],
    lacking: Set[str],
) -> set[str]:
    """The devices that have the whole manifest now.  Raises DamagedError when no device has it whole."""
    fetcher = Fetcher(session, {name: members[name].device_id for name in having})
    name, digest = head_name(snapshot.snapshot_id), snapshot.head_digest
    if digest is None:
        raise DamagedError("the digest of its head is not known")
    head = _fetched(fetcher, [WantedFile(name=name, devices=having, digest=digest.hex())])
    left = set(lacking)
    wanted = [WantedFile(name=part.name, devices=having, digest=part.blake3) for part in decode_head(head[name]).parts]
    for start in range(0, len(wanted), _FILES_COUNT):
        left -= _put(session, members, left, _fetched(fetcher, wanted[start : start + _FILES_COUNT]))
    return left - _put(session, members, left, head)


def _fetched(fetcher: Fetcher, wanted: list[WantedFile]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    missing = fetcher.whole(wanted, lambda name, data: found.update({name: data}))
    for name, why in missing.items():
        raise DamagedError(f"{name}: {why}")
    return found


def _put(
    session: RunSession, members: Mapping[str, Member], names: Iterable[str], files: Mapping[str, bytes]
) -> set[str]:
    """Write the files to the devices; returns those that did not take all of them."""
    failed: set[str] = set()

    def orders(member: Member) -> Iterator[Order]:
        for name, data in files.items():
            yield PutManifest(
                order_id=uuid.uuid4().hex,
                name=name,
                data=data,
                digest=blake3(data).hexdigest(),
                **session.order_fields(member.name, device_id=member.device_id, epoch=member.epoch),
            )

    def take(order: Order, receipt: Receipt) -> None:
        if receipt.failure is not None:
            failed.add(order.device)

    return failed | run_wave(session, {name: orders(members[name]) for name in names}, take).keys()
