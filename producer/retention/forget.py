"""``forget``: takes snapshots out of the catalog, under the locks of their volumes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from producer.catalog.catalog import Catalog
from producer.catalog.tables.locks import LockRow
from producer.ownership.holder import Holder, volume_lock
from producer.ownership.readers import without_readers
from producer.ownership.verdict import in_words, what_to_do
from producer.requests import Retention
from producer.retention.decisions import Decision, Kept, by_names, by_policy, refuse_all, refuse_unknown_tags
from producer.run.environment import Environment
from tasks.errors import LockedError

PURPOSE = "forget"


@dataclass(frozen=True, kw_only=True, slots=True)
class ForgetRequest:
    """Either names of snapshots, or volumes with their policies."""

    names: tuple[str, ...] = ()
    retentions: Mapping[str, Retention] = field(default_factory=dict)
    #: Whether a volume may be left without any snapshot.
    allows_all: bool = False
    #: Whether a tag to keep may be one that no snapshot has.
    allows_unknown_tags: bool = False


def preview(request: ForgetRequest, environment: Environment) -> list[Decision]:
    """What :func:`forget` would do; takes no lock and changes nothing."""
    with Catalog(environment.catalog) as catalog:
        return _decisions(catalog, request)


def forget(request: ForgetRequest, environment: Environment, note: Callable[[str], None]) -> list[Decision]:
    """Forget what the request says, and return what was decided for each volume.

    Nothing changes when it raises: UsageError for what is refused, LockedError while a volume is backed up or somebody
    reads a snapshot that is named.  What a policy would forget and somebody reads is kept.
    """
    with (
        Catalog(environment.catalog) as catalog,
        Holder(catalog, environment.catalog, manager=environment.manager, note=note) as holder,
        ExitStack() as locks,
    ):
        volumes = [decision.volume for decision in _decisions(catalog, request)]
        for volume in volumes:
            locks.enter_context(
                holder.holding(volume_lock(volume), purpose=PURPOSE, patience_s=environment.patience.left_s)
            )
        # Again: what was decided without the locks may have changed.
        return carry_out(holder, _decisions(catalog, request), all_or_none=bool(request.names))


def carry_out(holder: Holder, decisions: Sequence[Decision], *, all_or_none: bool = False) -> list[Decision]:
    """Forget what was decided, for a holder of the volumes' locks, and return what is really kept.

    What somebody reads is kept, or with ``all_or_none`` raises LockedError before anything changes.
    """
    ids = [row.snapshot_id for decision in decisions for row in decision.forgotten]
    with without_readers(holder, ids, purpose=PURPOSE) as readers:
        if all_or_none and readers:
            _refuse(*next(iter(readers.items())))
        done = [_without(decision, readers) for decision in decisions]
        # Durable: what the devices are told next must not be taken back by a power cut.
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
