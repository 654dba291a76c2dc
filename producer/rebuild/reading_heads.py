"""Reads the heads of the snapshots that the catalog does not know, from all devices that have them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from producer.manifest import head_name, snapshot_of_head
from producer.pool.decide import PoolDecision
from producer.pool.manifests.fetching import Fetcher, WantedFile, holding
from producer.pool.manifests.unknown_snapshots import unknown_snapshots
from producer.rebuild.heads import FoundHead, choose_head, parents_first
from producer.rebuild.troubles import Troubles


class HeadReader:
    def __init__(self, fetcher: Fetcher, decision: PoolDecision, troubles: Troubles) -> None:
        self._fetcher, self._troubles = fetcher, troubles
        self._pools = dict.fromkeys(decision.ready, decision.pool_id)
        #: The snapshots of which no device has a sound head.
        self.headless: list[str] = []

    def read(self, names: Mapping[str, frozenset[str]], known: Iterable[str]) -> list[FoundHead]:
        """The heads, in the order in which the snapshots were made.  ``names``: device → its manifest files."""
        wanted = sorted(unknown_snapshots(frozenset().union(*names.values()), frozenset(known)))
        copies = self._copies(names, wanted)
        found = [self._chosen(snapshot_id, copies.get(snapshot_id, {})) for snapshot_id in wanted]
        return parents_first(one for one in found if one is not None)

    def _copies(self, names: Mapping[str, frozenset[str]], wanted: Iterable[str]) -> defaultdict[str, dict[str, bytes]]:
        """Snapshot → device → its head there."""
        copies: defaultdict[str, dict[str, bytes]] = defaultdict(dict)

        def take(name: str, device: str, data: bytes) -> None:
            snapshot_id = snapshot_of_head(name)
            assert snapshot_id is not None
            copies[snapshot_id][device] = data

        heads = map(head_name, wanted)
        self._fetcher.copies([WantedFile(name=name, devices=holding(names, name)) for name in heads], take)
        return copies

    def _chosen(self, snapshot_id: str, copies: Mapping[str, bytes]) -> FoundHead | None:
        found, bad = choose_head(snapshot_id, copies, self._pools)
        for one in bad:
            # One that is damaged on a device is sound on another; which of two that differ is right, nobody knows.
            message = f"device {one.device}: head of {snapshot_id[:8]}: {one.why}"
            self._troubles.manifest(message, snapshot_id, one.device, is_loss=found is None or one.is_sound)
        if found is None:
            self.headless.append(snapshot_id)
            if not bad:
                self._troubles.manifest(f"no device could read the head of {snapshot_id[:8]}", snapshot_id)
        return found
