"""``forget``: takes snapshots out of the catalog, under the locks of their volumes, and tells the devices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from producer.catalog.catalog import Catalog
from producer.catalog.tables.locks import LockRow
from producer.observer import Observer
from producer.ownership.lock_holder import LockHolder, volume_lock
from producer.ownership.readers import without_readers
from producer.ownership.verdict import in_words, living_locks, what_to_do
from producer.requests import Retention
from producer.retention.decisions import Decision, Kept, by_names, by_policy, refuse_all, refuse_unknown_tags
from producer.retention.pruning.meeting import Meeting, OldCatalogError, meet, tell_where_nothing_goes
from producer.retention.telling import tell_devices
from producer.run.environment import Environment
from producer.run.history import record_done
from producer.run.locks import owner_of_locks
from producer.run.session import RunNeeds, RunSession, open_session
from tasks.errors import InterruptedRun, LockedError, SegfleetError, UsageError

PURPOSE = "forget"


class ForgetRequest(Struct, frozen=True, kw_only=True):
    """Either names of snapshots, or volumes with their policies."""

    names: tuple[str, ...] = ()
    retentions: Mapping[str, Retention] = field(default_factory=dict)
    #: The devices that learn what is forgotten, if they are there; none when a prune follows and tells them.
    devices: Mapping[str, Path] = field(default_factory=dict)
    #: Whether a volume may be left without any snapshot.
    allows_all: bool = False
    #: Whether a tag to keep may be one that no snapshot has.
    allows_unknown_tags: bool = False


def preview(request: ForgetRequest, environment: Environment) -> list[Decision]:
    """What :func:`forget` would do; takes no lock and changes nothing."""
    with Catalog(environment.catalog) as catalog:
        living = living_locks(catalog)
        return [
            replace(decision, is_in_use=volume_lock(decision.volume) in living)
            for decision in _decisions(catalog, request)
        ]


def forget(request: ForgetRequest, observer: Observer, environment: Environment) -> list[Decision]:
    """Forget what the request says, and return what was decided for each volume.

    The devices that are there get tombstones, so that a rebuild does not bring anything back; others get theirs with
    a later backup, forget or prune.

    Nothing changes when it raises: UsageError for what is refused, LockedError while a volume is backed up or somebody
    reads a snapshot that is named, OldCatalogError when a device knows more than the catalog.  Snapshots
    that somebody reads are kept, whatever a policy says.
    """
    started_at = datetime.now(UTC)
    with owner_of_locks(observer, environment) as holder, ExitStack() as locks:
        catalog = holder.catalog
        volumes = [decision.volume for decision in _decisions(catalog, request)]
        for volume in volumes:
            locks.enter_context(
                holder.holding(volume_lock(volume), purpose=PURPOSE, patience_s=environment.patience.left_s)
            )
        # Again: what was decided without the locks may have changed.
        decisions = _decisions(catalog, request)
        if not any(decision.forgotten for decision in decisions):
            return decisions
        with _met(holder, request.devices, observer, environment) as met:
            done = carry_out(holder, decisions, all_or_none=bool(request.names))
            if met is not None:
                tell_devices(*met)
        _record(catalog, done, started_at)
        return done


@contextmanager
def _met(
    holder: LockHolder, devices: Mapping[str, Path], observer: Observer, environment: Environment
) -> Iterator[tuple[RunSession, Meeting] | None]:
    """The devices that are there; None where there are none, or nobody can ask them now."""
    with ExitStack() as stack:
        met = None
        try:
            if devices:
                needs = RunNeeds(devices=devices, purpose=PURPOSE, holder=holder)
                session = stack.enter_context(open_session(needs, observer, environment))
                met = session, meet(session)
                tell_where_nothing_goes(*met)
        except (OldCatalogError, InterruptedRun, UsageError):
            raise
        except SegfleetError as error:
            observer.note(f"the devices learn what is forgotten with the next backup or prune: {error.message}")
        yield met


def _record(catalog: Catalog, decisions: Sequence[Decision], started_at: datetime) -> None:
    for decision in (decision for decision in decisions if decision.forgotten):
        summary = {
            "forgotten": len(decision.forgotten),
            "kept": len(decision.kept),
            "in_use": sum(kept.is_in_use for kept in decision.kept),
        }
        record_done(catalog, "forget", decision.volume, summary, started_at=started_at)


def carry_out(holder: LockHolder, decisions: Sequence[Decision], *, all_or_none: bool = False) -> list[Decision]:
    """Forget what was decided, for a holder of the volumes' locks, and return what is really kept.

    What somebody reads is kept, or with ``all_or_none`` raises LockedError before anything changes.
    """
    ids = [row.snapshot_id for decision in decisions for row in decision.forgotten]
    with without_readers(holder, ids, purpose=PURPOSE) as readers:
        if all_or_none and readers:
            _refuse(*next(iter(readers.items())))
        done = [_without(decision, readers) for decision in decisions]
        # Durable: a power cut must not take back what the devices get next.
        with holder.catalog.durable_transaction():
            holder.catalog.marks.forget([row.snapshot_id for decision in done for row in decision.forgotten])
    return done


def _decisions(catalog: Catalog, request: ForgetRequest) -> list[Decision]:
    """Raises UsageError for whatever is refused."""
    if request.names:
        decisions = by_names(catalog, request.names)
    else:
        if not request.allows_unknown_tags:
            refuse_unknown_tags(catalog, request.retentions)
        now = datetime.now(UTC)
        decisions = [by_policy(catalog, volume, rules, now) for volume, rules in sorted(request.retentions.items())]
    for decision in decisions if not request.allows_all else ():
        refuse_all(decision)
    return decisions


def _refuse(snapshot_id: str, reader: LockRow) -> None:
    raise LockedError(f"snapshot {snapshot_id[:8]} is in use by {in_words(reader)}", hint=what_to_do(reader))


def _without(decision: Decision, readers: Mapping[str, LockRow]) -> Decision:
    """The decision, with what is being read among the kept."""
    in_use = [
        Kept(row=row, reasons=(f"in use by {in_words(readers[row.snapshot_id])}",), is_in_use=True)
        for row in decision.forgotten
        if row.snapshot_id in readers
    ]
    left = tuple(row for row in decision.forgotten if row.snapshot_id not in readers)
    return replace(decision, kept=(*decision.kept, *in_use), forgotten=left)
