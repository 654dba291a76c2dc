"""Asks workers for ranges of stored segments, and hands the bytes over in whatever order they are wanted."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress

from msgspec import Struct, field
from msgspec.structs import replace

from producer.pool.parity.group_reads import GroupPlace, GroupReads
from producer.restore.reading.ways import Answers, Piece, Spool
from producer.run.session import RunSession
from tasks.errors import BrokerError, DamagedError
from tasks.orders import Order
from tasks.receipts import Receipt

#: What is on other devices can still be read.
_GONE_HINT = "mount the device, and run the command again"


class Fetch(Struct, kw_only=True, eq=False):
    """A range that was asked for.  ``error``: why its bytes are lost, once that is known."""

    piece: Piece
    way: Spool | Answers | None = None
    order: Order | None = None
    done: bool = False
    error: DamagedError | None = None
    #: The devices that could not give it; others may have a copy.
    failed: set[str] = field(default_factory=set)
    #: Where it is made by parity.
    place: GroupPlace | None = None


class Fetches:
    """For the run's thread.  ``present``: device id → name, of the devices that are there; dead ones are removed."""

    def __init__(self, session: RunSession, present: dict[str, str], spool: Spool | None) -> None:
        self._session = session
        self.present = present
        #: None: everything comes in receipts.
        self._spool = spool
        self._answers = Answers()
        self._open: dict[str, Fetch] = {}
        self._groups = GroupReads(session.catalog)
        self._given_up = session.catalog.devices.lost_ids()

    def limit_bytes(self, piece: Piece) -> int:
        """How long a range may be, on the way that this one takes."""
        return self._way(piece).piece_bytes

    def why_absent(self, piece: Piece) -> DamagedError | None:
        """An error if no device that holds the piece is there."""
        if piece.object.device_id in self.present or self._copy_of(piece, ()) is not None:
            return None
        if self._groups.can_read(piece.object, self.present):
            return None
        where = f"a part lies on device {piece.object.device}"
        if piece.object.device_id in self._given_up:
            return DamagedError(f"{where}, which is lost")
        return DamagedError(f"{where}, which is absent", hint=_GONE_HINT)

    def begin(self, piece: Piece) -> Fetch:
        """Ask for the piece; it is read as soon as its device's worker has time."""
        fetch = Fetch(piece=piece)
        if piece.object.device_id in self.present:
            self._send(fetch)
        elif not self._ask_elsewhere(fetch):
            fetch.error, fetch.done = self.why_absent(piece), True
        return fetch

    def _send(self, fetch: Fetch) -> None:
        piece = fetch.piece
        device_id = piece.object.device_id if fetch.place is None else fetch.place.device_id
        fetch.way = self._way(piece)
        fields = self._session.order_fields(self.present[device_id], device_id=device_id)
        fetch.order = fetch.way.order(piece, fields if fetch.place is None else fields | {"group": fetch.place.group})
        self._open[fetch.order.order_id] = fetch
        # It is in flight even if the broker is away; the courier sends it again once that is back.
        with suppress(BrokerError):
            self._session.courier.send([fetch.order])

    def _ask_elsewhere(self, fetch: Fetch) -> bool:
        """Ask another device that has a copy, or have it made by parity; False when nothing is left."""
        fetch.failed.add(fetch.piece.object.device_id)
        found = self._copy_of(fetch.piece, fetch.failed)
        if found is not None:
            fetch.piece = found
            self._send(fetch)
            return True
        # What its group has given is the last resort, unless the device that read it has died.
        if fetch.place is not None and fetch.place.device_id in self.present:
            return False
        fetch.place = self._groups.place(fetch.piece.object, self.present)
        if fetch.place is not None:
            self._send(fetch)
        return fetch.place is not None

    def _copy_of(self, piece: Piece, failed: Collection[str]) -> Piece | None:
        for one in self._session.catalog.objects.copies_of(piece.object):
            if one.device_id in self.present and one.device_id not in failed:
                return replace(piece, object=one)
        return None

    def wait(self, fetch: Fetch) -> None:
        """Until it is answered.  Raises InterruptedRun."""
        while not fetch.done:
            self.poll(0.1)

    def poll(self, timeout_s: float) -> list[Fetch]:
        """Wait for answers; returns the fetches that are done now.  Raises InterruptedRun."""
        courier = self._session.courier
        self._session.interrupt.check()
        done: list[Fetch] = []
        for order, receipt in courier.poll(timeout_s):
            fetch = self._open.pop(order.order_id, None)
            if fetch is None or fetch.way is None:
                continue
            error = _error_of(fetch, order, receipt)
            if error is not None and self._ask_elsewhere(fetch):
                continue
            fetch.error, fetch.done = error, True
            done.append(fetch)
        for device, why in courier.lost_devices().items():
            courier.give_up(device)
            done += self._lose(device, why)
        return done

    def read(self, fetch: Fetch) -> Iterator[bytes]:
        """The bytes of a fetch, once.  Waits for them; raises DamagedError when they are lost."""
        self.wait(fetch)
        if fetch.error is not None:
            raise fetch.error
        assert fetch.way is not None and fetch.order is not None
        yield from fetch.way.read(fetch.order)

    def _lose(self, device: str, why: str) -> Iterator[Fetch]:
        self._session.observer.note(f"device {device} died: {why}")
        for device_id in [device_id for device_id, name in self.present.items() if name == device]:
            del self.present[device_id]
        for order_id, fetch in list(self._open.items()):
            if fetch.order is not None and fetch.order.device == device:
                del self._open[order_id]
                if not self._ask_elsewhere(fetch):
                    fetch.done = True
                    fetch.error = DamagedError(f"device {device} died: {why}", hint=_GONE_HINT)
                    yield fetch

    def _way(self, piece: Piece) -> Spool | Answers:
        device = self.present.get(piece.object.device_id)
        # By parity any of those that are there may read it.
        readers = self.present.values() if device is None else [device]
        if self._spool is None or any(map(self._session.fleet.is_shared, readers)):
            return self._answers
        return self._spool


def _error_of(fetch: Fetch, order: Order, receipt: Receipt) -> DamagedError | None:
    if receipt.failure is not None:
        return DamagedError(receipt.failure.message, hint=receipt.failure.hint)
    assert fetch.way is not None
    try:
        fetch.way.take(order, receipt.result)
    except DamagedError as error:
        return error
    return None
