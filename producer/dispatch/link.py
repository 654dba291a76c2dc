"""The link: a run's connection to the broker.  It sends orders, takes receipts, reads leases, and moves messages.

Receipts are taken without acknowledgement.  A manager that dies with receipts in hand loses nothing: their segments
are still *fed* in the catalog, so the next run orders them again, and the workers find them stored.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import redis
from msgspec.structs import replace

from producer.dispatch.inbox import Inbox
from producer.dispatch.last_orders import Purged
from producer.dispatch.publishing import publish
from producer.dispatch.queue_moves import LEAVE, Choose, Destination, move_queue, take_back, waiting_orders
from producer.dispatch.wrong_types import delete_queue, with_queues
from tasks.app import BROKEN, app, connect
from tasks.broker import door
from tasks.broker.epochs import current_epoch, publish_epoch
from tasks.broker.leases import Lease, leases_of, redis_client
from tasks.broker.parcels import MIN_PARCEL_BYTES, drop_parcels, put_parcel
from tasks.broker.queues import device_queue
from tasks.broker.signs import give_last_sign, give_sign
from tasks.broker.writable import check_writable
from tasks.errors import BrokerError, MessageError
from tasks.orders import Order, PutManifest
from tasks.receipts import Receipt
from tasks.wire import decode_receipt

log = logging.getLogger("segfleet.link")

#: Workers have reconnected to a restarted broker after 2 to 6 s.
_COMING_BACK_S = 10


class Link:
    """A context manager; used from one thread.

    While the broker is away, ``send`` raises BrokerError and ``receipts`` returns nothing; both work again once it
    is back.
    """

    def __init__(self, url: str, inbox: str, *, ensure_broker: Callable[[], None]) -> None:
        """``ensure_broker`` is called when the broker does not answer: it may restart a private server."""
        self.inbox = inbox
        #: Whether receipts that arrive after the end of the run wait for the next run with this inbox.
        self.keeps_inbox = False
        self._ensure_broker = ensure_broker
        #: The digests of the parcels that were put.
        self._parcels: set[str] = set()
        self._client_name = f"segfleet:manager:{inbox}"
        door.install()
        connect(url, self._client_name, inbox)
        self._redis = redis_client(url)
        self._inbox = Inbox(inbox, connect=app.connection_for_read, on_lost=self._mend)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._unblock():
            self._inbox.disconnect()
            self._remove_inbox()
        else:
            self._inbox.abandon()
        self._redis.close()
        app.close()

    def send(self, orders: Sequence[Order]) -> None:
        """Publish orders to the queues of their devices.

        Raises BrokerError when they may not have arrived.  Sending an order twice does no harm: its id names the work.
        """
        try:
            queues = {device_queue(order.device) for order in orders}
            messages = [self._without_parcel(order) for order in orders]
            with_queues(self._redis, queues, lambda: publish(messages))
        except BROKEN as error:
            self._mend()
            raise BrokerError(f"cannot publish to the broker: {error}") from error

    def _without_parcel(self, order: Order) -> Order:
        """The order as its message says it; what it only names is in the broker then."""
        if not isinstance(order, PutManifest) or len(order.data) < MIN_PARCEL_BYTES:
            return order
        put_parcel(self._redis, order.digest, order.data)
        self._parcels.add(order.digest)
        return replace(order, data=b"", is_parcel=True)

    def receipts(self, timeout_s: float) -> list[Receipt]:
        """The receipts that are there; waits up to ``timeout_s`` for the first."""
        receipts = []
        for message in self._inbox.receive(timeout_s):
            try:
                receipts.append(decode_receipt(message))
            except MessageError as error:
                self._inbox.refuse(error)
        return receipts

    @property
    def refused_count(self) -> int:
        """How many messages in the inbox were not receipts."""
        return self._inbox.refused_count

    def leases(self, devices: Iterable[str]) -> dict[str, list[Lease]] | None:
        """Device → the leases of its workers; None when the broker is away, or refuses writes: then they expire."""
        try:
            check_writable(self._redis)
            return leases_of(self._redis, devices)
        except redis.RedisError:
            return None

    def connected(self) -> set[str] | None:
        """The names of the broker's clients; None when it is away, or restarted just before: they are reconnecting."""
        try:
            clients = self._redis.client_list()
        except redis.RedisError:
            return None
        oldest_s = max(int(client["age"]) for client in clients)
        return {client["name"] for client in clients} if oldest_s > _COMING_BACK_S else None

    def waiting(self, devices: Iterable[str]) -> set[str] | None:
        """The ids of the orders that wait for the devices or that their workers hold; None when the broker is away."""
        try:
            orders = waiting_orders(self._redis, [device_queue(device) for device in devices])
        except redis.RedisError:
            return None
        return {order.order_id for order in orders}

    def move(self, device: str, choose: Choose) -> dict[str, str]:
        """Move the orders of a dead device to other queues, starting with those that its worker held.

        Returns order id → queue.  A second pass catches orders that were published meanwhile.  Raises BrokerError.
        """
        name = device_queue(device)

        def move() -> dict[str, str]:
            held = take_back(self._redis, name, choose).moved
            queued = move_queue(self._redis, name, choose).moved
            return {**held, **queued, **move_queue(self._redis, name, choose).moved}

        try:
            return with_queues(self._redis, [name], move)
        except redis.RedisError as error:
            raise BrokerError(f"cannot move the orders of device {device}: {error}") from error

    def withdraw(self, devices: Iterable[str], order_ids: Collection[str]) -> list[str]:
        """Remove these orders from the devices' queues; returns those that were still there.  Raises BrokerError."""
        taken: list[str] = []

        def take(name: str) -> tuple[str, ...]:
            def choose(order: Mapping[str, Any]) -> Destination | None:
                return None if order["order_id"] in order_ids else Destination(queue=name)

            return with_queues(self._redis, [name], lambda: move_queue(self._redis, name, choose).dropped)

        try:
            for name in map(device_queue, devices):
                taken += take(name)
        except redis.RedisError as error:
            raise BrokerError(f"cannot take orders back: {error}") from error
        return taken

    def fence(self, device_id: str, epoch: int) -> None:
        """Make workers refuse orders of earlier epochs.  Best effort: stale receipts are dropped in any case."""
        try:
            publish_epoch(self._redis, self.inbox, device_id, epoch)
        except redis.RedisError as error:
            log.warning("epoch not published: %s", error)

    def published_epoch(self, device_id: str) -> int:
        """The epoch of the last :meth:`fence` of any run with this inbox; 0 if there was none or the broker is away."""
        try:
            return current_epoch(self._redis, self.inbox, device_id)
        except redis.RedisError as error:
            log.warning("epoch not read: %s", error)
            return 0

    def give_sign(self) -> None:
        """Report that the run is alive.  Best effort: an order that is refused for lack of a sign is sent again."""
        try:
            give_sign(self._redis, self.inbox)
        except redis.RedisError as error:
            log.debug("no sign of life given: %s", error)

    def give_last_sign(self) -> None:
        """Make workers refuse the rest of the run's orders.  Best effort: a silent run counts as over soon."""
        try:
            give_last_sign(self._redis, self.inbox)
        except redis.RedisError as error:
            log.debug("no last sign given: %s", error)

    def _mend(self) -> None:
        try:
            self._ensure_broker()
        except BrokerError as error:
            log.warning("%s", error)

    def purge(self, device: str) -> None:
        """Empty a device's queue: what an earlier run left there is obsolete.  Raises BrokerError."""
        try:
            delete_queue(self._redis, device_queue(device))
        except redis.RedisError as error:
            raise BrokerError(f"cannot empty the queue of device {device}: {error}") from error

    def purge_own(self, device: str) -> Purged:
        """Remove what a run with this inbox left at a device: in its queue, and what workers took and did not finish.

        A living worker finishes the order it holds, but no worker starts it again.  Raises BrokerError.
        """
        name = device_queue(device)
        writing: set[str] = set()

        def drop_held(order: Mapping[str, Any]) -> Destination | None:
            if order.get("target"):
                writing.add(order["order_id"])
            return self._drop_own(order)

        def purge() -> Purged:
            waited = move_queue(self._redis, name, self._drop_own).dropped
            held = take_back(self._redis, name, drop_held).dropped
            # A worker that ended meanwhile may have put its order back.
            waited += move_queue(self._redis, name, self._drop_own).dropped
            return Purged(waited=waited, held=tuple(order_id for order_id in held if order_id in writing))

        try:
            return with_queues(self._redis, [name], purge)
        except redis.exceptions.NoPermissionError as error:
            raise BrokerError(
                f"this user of the broker may not give orders to device {device}, and no manager does it for this host",
                hint="start the manager, or wait until it is there: segfleet status lists the managers",
            ) from error
        except redis.RedisError as error:
            raise BrokerError(f"cannot clear the queue of device {device}: {error}") from error

    def _drop_own(self, order: Mapping[str, Any]) -> Destination | None:
        return None if order.get("reply_to") == self.inbox else LEAVE

    def release(self, device: str, held: Collection[str]) -> None:
        """Put back into the device's queue what its workers took, except the orders ``held`` by living ones.

        An order that a worker took within the last second is carried out twice, which does no harm.  Raises
        BrokerError.
        """
        name = device_queue(device)

        def put_back(order: Mapping[str, Any]) -> Destination | None:
            return LEAVE if order["order_id"] in held else Destination(queue=name)

        try:
            with_queues(self._redis, [name], lambda: take_back(self._redis, name, put_back))
        except redis.RedisError as error:
            raise BrokerError(f"cannot take back orders of device {device}: {error}") from error

    def _remove_inbox(self) -> None:
        try:
            drop_parcels(self._redis, self._parcels)
            if not self.keeps_inbox:
                self._redis.delete(self.inbox)
        except redis.RedisError as error:
            log.debug("inbox not removed: %s", error)

    def _unblock(self) -> bool:
        """Interrupt our own BRPOP: before it closes, kombu would wait up to a second for the answer.

        Returns False when the broker does not answer.
        """
        try:
            for client in self._redis.client_list():
                if client["name"] == self._client_name and client["cmd"] == "brpop":
                    self._redis.client_unblock(int(client["id"]))
        except redis.RedisError as error:
            log.debug("closing without the broker: %s", error)
            return False
        return True
