"""A rebuild: whoever holds the devices has the catalog.

Reads the manifests of all snapshots that the catalog does not know, from whichever device has them whole, and records
each as it was sealed.  What the catalog knows stays as it is.  Changes nothing on the devices.  A rebuild that was
interrupted is run again: a snapshot is recorded whole or not at all.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from producer.catalog.catalog import Catalog
from producer.manifest import ManifestPart, decode_pack, head_name, snapshot_of_head
from producer.observer import Observer, Progress, Trouble
from producer.ownership.holder import NEW_DEVICES, Holder
from producer.pool.decide import PoolDecision, decide_readable
from producer.pool.device_reports import ask_for_reports
from producer.pool.unknown_snapshots import unknown_snapshots
from producer.rebuild.entering import ReadManifest, enter
from producer.rebuild.fetching import Fetcher, WantedFile
from producer.rebuild.heads import FoundHead, choose_head, parents_first
from producer.rebuild.recorded_devices import record_named, record_present
from producer.requests import RebuildRequest
from producer.run.environment import Environment
from producer.run.session import RunNeeds, RunSession, open_session
from producer.summaries import RebuildSummary
from tasks.errors import DamagedError


def rebuild(request: RebuildRequest, observer: Observer, environment: Environment) -> RebuildSummary:
    """Record in the catalog what the devices hold and it does not know.  Idempotent.

    Raises NotADeviceError, UsageError for devices of several pools or one device at two places, LockedError.
    """
    with (
        Catalog(environment.catalog) as catalog,
        Holder(catalog, environment.catalog, manager=environment.manager, note=observer.note) as holder,
    ):
        needs = RunNeeds(devices=request.devices, purpose="rebuild", holder=holder)
        with open_session(needs, observer, environment) as session, holder.holding(NEW_DEVICES, purpose="rebuild"):
            return _Rebuild(session).run()


class _Rebuild:
    def __init__(self, session: RunSession) -> None:
        self._session = session
        self._catalog = session.catalog
        self._started_s = time.monotonic()
        self._errors_count = self._segments_count = self._bytes_done = 0

    def run(self) -> RebuildSummary:
        decision = self._meet()
        fetcher = Fetcher(self._session, decision.ready)
        names = fetcher.names()
        known = self._catalog.snapshots.known_ids()
        heads = self._read_heads(fetcher, decision, names, known)
        device_names = record_named(self._catalog, decision, [found.head for found in heads])
        added = [found for found in heads if self._add(fetcher, decision, names, found, device_names)]
        added = self._without_lost_parts(fetcher, names, added)
        self._tell_unknown_segments(added)
        return RebuildSummary(
            snapshots=len(added),
            snapshots_known=len(known),
            volumes=len({found.head.volume for found in added}),
            segments=self._segments_count,
            errors=self._errors_count,
            duration_s=round(time.monotonic() - self._started_s, 3),
            exit_code=3 if self._errors_count else 0,
        )

    def _meet(self) -> PoolDecision:
        """Which devices are there, now in the catalog too."""
        session = self._session
        reports = ask_for_reports(session, may_lose=session.paths).wait()
        decision = decide_readable(reports, session.paths)
        for name, why in decision.absent.items():
            self._tell("device-absent", f"device {name} is absent: {why}", device=name)
        record_present(self._catalog, decision, reports, session.paths, session.link.published_epoch)
        return decision

    # ---- heads

    def _read_heads(
        self,
        fetcher: Fetcher,
        decision: PoolDecision,
        names: Mapping[str, frozenset[str]],
        known: Iterable[str],
    ) -> list[FoundHead]:
        """The heads of the snapshots that the catalog does not know, in the order of their making."""
        wanted = unknown_snapshots(frozenset().union(*names.values()), frozenset(known))
        copies: defaultdict[str, dict[str, bytes]] = defaultdict(dict)

        def take(name: str, device: str, data: bytes) -> None:
            snapshot_id = snapshot_of_head(name)
            assert snapshot_id is not None
            copies[snapshot_id][device] = data

        fetcher.copies(
            [
                WantedFile(name=head_name(snapshot_id), devices=_holding(names, head_name(snapshot_id)))
                for snapshot_id in sorted(wanted)
            ],
            take,
        )
        pools = dict.fromkeys(decision.ready, decision.pool_id)
        found = [self._chosen(snapshot_id, copies[snapshot_id], pools) for snapshot_id in sorted(wanted)]
        return parents_first(one for one in found if one is not None)

    def _chosen(self, snapshot_id: str, copies: Mapping[str, bytes], pools: Mapping[str, str]) -> FoundHead | None:
        found, bad = choose_head(snapshot_id, copies, pools)
        for one in bad:
            self._tell(
                "manifest", f"device {one.device}: head of {snapshot_id[:8]}: {one.why}", snapshot_id, one.device
            )
        if found is None and not bad:
            self._tell("manifest", f"no device could read the head of {snapshot_id[:8]}", snapshot_id)
        return found

    # ---- snapshots

    def _add(
        self,
        fetcher: Fetcher,
        decision: PoolDecision,
        names: Mapping[str, frozenset[str]],
        found: FoundHead,
        device_names: Mapping[str, str],
    ) -> bool:
        """Whether the snapshot is in the catalog now."""
        manifest, parts = ReadManifest(found=found), {part.name: part for part in found.head.parts}

        def take(name: str, data: bytes) -> None:
            manifest.take(parts[name], data, self._catalog)
            self._bytes_done += len(data)
            self._session.observer.progress(Progress(phase="reading", bytes_total=0, bytes_done=self._bytes_done))

        snapshot_id = found.head.snapshot_id
        try:
            missing = fetcher.whole([_wanted(part, names) for part in parts.values()], take)
            for name, why in missing.items():
                self._tell("manifest", f"manifest part {name}: {why}", snapshot_id)
            if any(parts[name].kind == "tree" for name in missing):
                raise DamagedError("the list of its tree is lost")
            holders = [decision.ready[device] for device in found.devices]
            self._segments_count += enter(self._catalog, manifest, holders, device_names)
        except DamagedError as error:
            self._tell("manifest", f"snapshot {snapshot_id[:8]} cannot be rebuilt: {error}", snapshot_id)
            return False
        return True

    def _without_lost_parts(
        self, fetcher: Fetcher, names: Mapping[str, frozenset[str]], added: Sequence[FoundHead]
    ) -> list[FoundHead]:
        """Look further for tree parts that no snapshot with a head has; take back the snapshots that lack some."""
        lacking = {found.head.snapshot_id for found in added if self._missing_parts(found.head.snapshot_id)}
        if lacking:
            self._read_headless_packs(fetcher, names)
        lost = {snapshot_id: missing for snapshot_id in lacking if (missing := self._missing_parts(snapshot_id))}
        for snapshot_id, missing in sorted(lost.items()):
            self._catalog.snapshots.remove_sealed(snapshot_id)
            message = f"snapshot {snapshot_id[:8]} cannot be rebuilt: {len(missing)} parts of its tree are lost"
            self._tell("manifest", message, snapshot_id)
        return [found for found in added if found.head.snapshot_id not in lost]

    def _tell_unknown_segments(self, added: Iterable[FoundHead]) -> None:
        """Name the snapshots that need segments which no index has: the files in these cannot be restored."""
        for found in added:
            needed = self._catalog.trees.of(found.head.snapshot_id).parts_of_segments.keys()
            count = len(needed - self._catalog.segments.by_ids(needed).keys())
            if count:
                message = f"snapshot {found.head.snapshot_id[:8]} needs {count} segments that no index names"
                self._tell("manifest", message, found.head.snapshot_id)

    def _missing_parts(self, snapshot_id: str) -> set[bytes]:
        return self._catalog.trees.without({part.digest for part in self._catalog.trees.of(snapshot_id).parts})

    def _read_headless_packs(self, fetcher: Fetcher, names: Mapping[str, frozenset[str]]) -> None:
        """Packs of snapshots that were forgotten, or of which no head is whole: others may need their parts."""
        there = frozenset().union(*names.values())
        heads = {snapshot_of_head(name) for name in there}
        loose = sorted(name for name in there if name.endswith(".part") and name.partition(".")[0] not in heads)

        def take(_name: str, data: bytes) -> None:
            try:
                parts = decode_pack(data)
            except DamagedError:
                return  # A part of another kind, or of a run that was interrupted.
            self._catalog.trees.add_parts({bytes.fromhex(digest): stored for digest, stored in parts.items()})

        fetcher.whole([WantedFile(name=name, devices=_holding(names, name)) for name in loose], take)

    def _tell(self, code: str, message: str, snapshot_id: str = "", device: str = "") -> None:
        self._errors_count += 1
        self._session.observer.trouble(Trouble(code=code, message=message, snapshot_id=snapshot_id, device=device))


def _wanted(part: ManifestPart, names: Mapping[str, frozenset[str]]) -> WantedFile:
    return WantedFile(name=part.name, devices=_holding(names, part.name), digest=part.blake3)


def _holding(names: Mapping[str, frozenset[str]], name: str) -> tuple[str, ...]:
    return tuple(sorted(device for device, found in names.items() if name in found))
