"""Whether every device has the manifests that it should have, whole."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator, Mapping

from blake3 import blake3

from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.check.findings import Findings
from producer.manifest import ManifestHead, decode_head, head_name
from producer.run.session import RunSession
from producer.run.wave import run_wave
from tasks.errors import SegfleetError
from tasks.orders import GetManifest, Order
from tasks.receipts import Receipt


class ManifestCheck:
    """``present``: device id → name."""

    def __init__(self, session: RunSession, present: Mapping[str, str], findings: Findings) -> None:
        self._session = session
        self._present = present
        self._ids = {name: device_id for device_id, name in present.items()}
        self._findings = findings

    def check(self, snapshot: SnapshotRow) -> None:
        """Every device that took part in the snapshot and is there must have its manifest, whole.

        Asks all devices of the pool: those without segments get manifests too.  A device without one was away when the
        snapshot was sealed, or joined the pool later; that is no damage while another device has it.
        """
        heads: dict[str, ManifestHead] = {}
        without: dict[str, str] = {}

        def take_head(order: Order, receipt: Receipt) -> None:
            if receipt.failure is not None and receipt.failure.code == "no-such-manifest":
                without[order.device] = receipt.failure.message
                return
            try:
                heads[order.device] = _head(receipt, snapshot)
            except SegfleetError as error:
                message = f"device {order.device}: manifest of {snapshot.snapshot_id[:8]}: {error}"
                self._findings.tell("manifest", message)

        name, devices = head_name(snapshot.snapshot_id), self._devices_of_pool(snapshot)
        if not devices:
            self._findings.tell("device-absent", f"no device of the pool of {snapshot.snapshot_id[:8]} is there")
        orders = {device: [self._get(device, name)] for device in devices}
        self._findings.tell_deaths(run_wave(self._session, orders, take_head))
        self._tell_without_manifest(without, heads)
        self._check_parts(heads)

    def _tell_without_manifest(self, without: Mapping[str, str], heads: Mapping[str, ManifestHead]) -> None:
        """An error if no device has it, else a note about those that took part."""
        took_part = {device.device_id for head in heads.values() for device in head.devices}
        for device, message in without.items():
            if not heads:
                self._findings.tell("manifest", message)
            elif self._ids[device] in took_part:
                self._session.observer.note(f"{message}; it is on {', '.join(heads)}")

    def _check_parts(self, heads: Mapping[str, ManifestHead]) -> None:
        digests = {(device, part.name): part.blake3 for device, head in heads.items() for part in head.parts}
        asked: dict[str, str] = {}

        def take_part(order: Order, receipt: Receipt) -> None:
            part = asked[order.order_id]
            try:
                if blake3(_data(receipt)).hexdigest() != digests[order.device, part]:
                    raise SegfleetError("is damaged")
            except SegfleetError as error:
                self._findings.tell("manifest", f"device {order.device}: manifest part {part}: {error}")

        def orders_for(device: str, head: ManifestHead) -> Iterator[Order]:
            for part in head.parts:
                order = self._get(device, part.name)
                asked[order.order_id] = part.name
                yield order

        orders = {device: orders_for(device, head) for device, head in heads.items()}
        self._findings.tell_deaths(run_wave(self._session, orders, take_part, window_count=4))

    def _get(self, device: str, name: str) -> GetManifest:
        fields = self._session.order_fields(device, device_id=self._ids[device])
        return GetManifest(order_id=uuid.uuid4().hex, name=name, **fields)

    def _devices_of_pool(self, snapshot: SnapshotRow) -> list[str]:
        """The devices that are there, of those to which the snapshot's manifest may have gone."""
        rows = self._session.catalog.devices.all(snapshot.pool_id)
        return sorted(self._present[row.device_id] for row in rows if row.device_id in self._present)


def _head(receipt: Receipt, snapshot: SnapshotRow) -> ManifestHead:
    """Raises SegfleetError, before it decodes it, unless it is the head that the snapshot was sealed with."""
    data = _data(receipt)
    if blake3(data).digest() != snapshot.head_digest:
        raise SegfleetError("it is not what was written there")
    return decode_head(data)


def _data(receipt: Receipt) -> bytes:
    if receipt.failure is not None:
        raise SegfleetError(receipt.failure.message)
    return base64.b64decode(receipt.result.data_base64)
