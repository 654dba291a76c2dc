"""Moving orders between queues of a real server, with messages that Celery published and kombu consumes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from celery import Celery
from kombu import Connection
from kombu.message import Message
from redis import Redis

from producer.broker import broker
from producer.dispatch.last_orders import Purged
from producer.dispatch.link import Link
from producer.dispatch.queue_moves import LEAVE, Destination, WaitingOrder, move_queue, take_back, waiting_orders
from producer.host.state import StateFolder
from tasks.app import queue as queue_of
from tasks.app import transport_options
from tasks.broker.queues import unacked_keys
from tasks.orders import DescribeDevice

DEADLINE_S = 20.0
A, B, C = "device.a", "device.b", "device.c"
HELD_BY_A, HELD_BY_B = unacked_keys(A), unacked_keys(B)
DESCRIBE = DescribeDevice(
    run_id="1" * 32,
    order_id="2" * 32,
    device="a",
    device_id="",
    epoch=0,
    attempt=1,
    reply_to="manager.local",
)


class Server:
    """The private server with the three things that tests do to it."""

    def __init__(self, url: str, socket_path: str) -> None:
        self.url = url
        self.client = Redis(unix_socket_path=socket_path)
        self.app = Celery("test", broker=url, set_as_current=False)
        self.app.conf.broker_transport_options = transport_options("test", "none")

    def publish(self, queue: str, numbers: range, **more: Any) -> None:
        with self.app.producer_or_acquire() as producer, producer.batch(100):
            for number in numbers:
                self.app.send_task(
                    "segfleet.store",
                    kwargs={"order": order(number, queue, **more)},
                    queue=queue_of(queue),
                    producer=producer,
                )

    def numbers(self, queue: str) -> list[int]:
        """Order numbers in the order in which a worker would get them."""
        return [int(each.order_id, 16) for each in reversed(waiting_orders(self.client, [queue]))]

    @contextmanager
    def consumer(self, queue: str, prefetch: int = 1) -> Iterator[Consumer]:
        with Connection(self.url, transport_options=transport_options("test-consumer", queue)) as connection:
            consumer = Consumer(connection, queue, prefetch)
            try:
                yield consumer
            finally:
                # As after kill -9: nothing that was taken is put back.
                consumer.channel.qos.restore_at_shutdown = False
                consumer.channel.qos._delivered.clear()


class Consumer:
    """A kombu consumer that keeps what it got, unacknowledged."""

    def __init__(self, connection: Connection, queue: str, prefetch: int) -> None:
        self.connection = connection
        self.channel = connection.channel()
        self.taken: list[Message] = []
        self.consumer = connection.Consumer(
            [queue_of(queue)],
            channel=self.channel,
            on_message=self.taken.append,
            accept=["json"],
            auto_declare=False,
        )
        self.consumer.qos(prefetch_count=prefetch)
        self.consumer.consume()

    def take(self, count: int) -> list[Message]:
        """Wait until ``count`` messages have been delivered in all."""
        deadline = time.monotonic() + DEADLINE_S
        while len(self.taken) < count:
            assert time.monotonic() < deadline, f"{len(self.taken)} of {count} messages came"
            try:
                self.connection.drain_events(timeout=0.2)
            except TimeoutError:
                continue
        return self.taken


def order(number: int, queue: str, **more: Any) -> dict[str, Any]:
    wire = {"version": 1, "run_id": "f" * 32, "order_id": f"{number:032x}", "epoch": 3, "attempt": 1}
    wire |= {"reply_to": "manager.local"}
    return {**wire, "device": queue.removeprefix("device."), "device_id": "a" * 32, **more}


def number_of(message: Message) -> int:
    _, kwargs, _ = message.payload
    return int(kwargs["order"]["order_id"], 16)


def to(queue: str, **changes: Any) -> Callable[[Mapping[str, Any]], Destination]:
    return lambda order: Destination(queue=queue, changes=changes)


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.delenv("SEGFLEET_BROKER_URL", raising=False)
    state = StateFolder(path=tmp_path_factory.mktemp("s"))
    with broker(None, state) as private:
        server = Server(private.url, str(state.broker_dir / "broker.sock"))
        try:
            yield server
        finally:
            server.app.close()
            server.client.close()


def test_all_messages_of_a_queue_move_in_their_order(server: Server) -> None:
    server.publish(A, range(250))

    moves = move_queue(server.client, A, to(B))

    assert server.numbers(B) == list(range(250))
    assert server.numbers(A) == []
    assert moves.moved == {f"{number:032x}": B for number in range(250)}
    assert (moves.dropped, moves.unreadable_count) == ((), 0)


def test_moved_messages_come_after_those_that_are_there(server: Server) -> None:
    server.publish(B, range(2))
    server.publish(A, range(2, 4))

    move_queue(server.client, A, to(B))

    assert server.numbers(B) == [0, 1, 2, 3]


def test_each_message_goes_where_it_is_sent(server: Server) -> None:
    server.publish(A, range(300))

    def by_number(wire: Mapping[str, Any]) -> Destination | None:
        return [Destination(queue=B), Destination(queue=C), None][int(wire["order_id"], 16) % 3]

    moves = move_queue(server.client, A, by_number)

    assert server.numbers(B) == list(range(0, 300, 3))
    assert server.numbers(C) == list(range(1, 300, 3))
    assert moves.dropped == tuple(f"{number:032x}" for number in range(2, 300, 3))
    assert server.client.llen(A) == 0


def test_messages_that_stay_keep_their_places(server: Server) -> None:
    server.publish(A, range(300))

    moves = move_queue(server.client, A, lambda wire: Destination(queue=B if int(wire["order_id"], 16) % 2 else A))

    assert server.numbers(A) == list(range(0, 300, 2))
    assert server.numbers(B) == list(range(1, 300, 2))
    assert len(moves.moved) == 150


def test_a_moved_order_is_for_its_new_device(server: Server) -> None:
    server.publish(A, range(1), paths=["caf\u00e9\udce9\n"])

    move_queue(server.client, A, to(B, device="b", device_id="b" * 32, epoch=7))

    with server.consumer(B) as consumer:
        (message,) = consumer.take(1)
    args, kwargs, _ = message.payload
    assert args == []
    assert kwargs["order"] == order(0, B, device_id="b" * 32, epoch=7, paths=["caf\u00e9\udce9\n"])
    assert message.headers["task"] == "segfleet.store"
    assert message.delivery_info["routing_key"] == B


def test_a_message_that_is_put_back_after_a_move_goes_to_its_new_queue(server: Server) -> None:
    server.publish(A, range(1))
    move_queue(server.client, A, to(B))

    with server.consumer(B) as consumer:
        (message,) = consumer.take(1)
        message.requeue()

    assert (server.numbers(A), server.numbers(B)) == ([], [0])


def test_messages_that_hold_no_order_stay_and_are_counted(server: Server) -> None:
    server.publish(A, range(1))
    for junk in (b"junk", b"[]", b'{"body": "!", "properties": {}}', b'{"headers": {}}'):
        server.client.lpush(A, junk)
    server.publish(A, range(1, 2))

    moves = move_queue(server.client, A, to(B))

    assert server.numbers(B) == [0, 1]
    assert moves.unreadable_count == server.client.llen(A) == 4


def test_an_empty_queue_moves_nothing(server: Server) -> None:
    assert move_queue(server.client, A, to(B)).moved == {}
    assert take_back(server.client, A, to(B)).moved == {}


def test_what_a_dead_consumer_held_goes_to_the_front_of_the_new_queue(server: Server) -> None:
    server.publish(B, range(10, 12))
    server.publish(A, range(3))
    with server.consumer(A) as dead:
        dead.take(1)

    moved = take_back(server.client, A, to(B, device="b"))
    move_queue(server.client, A, to(B, device="b"))

    assert moved.moved == {f"{0:032x}": B}
    assert server.numbers(B) == [0, 10, 11, 1, 2]
    assert server.client.hlen(HELD_BY_A.messages) == server.client.zcard(HELD_BY_A.times) == 0


def test_what_another_devices_consumer_holds_is_left_to_it(server: Server) -> None:
    server.publish(A, range(1))
    server.publish(B, range(1, 2))
    with server.consumer(A) as dead, server.consumer(B) as alive:
        dead.take(1)
        (held,) = alive.take(1)

        assert list(take_back(server.client, A, to(C)).moved.values()) == [C]

        assert server.client.hkeys(HELD_BY_B.messages) == [held.delivery_tag.encode()]


def test_what_was_held_may_go_back_to_its_own_queue_or_be_dropped(server: Server) -> None:
    server.publish(A, range(2))
    with server.consumer(A, prefetch=2) as dead:
        dead.take(2)

    moves = take_back(server.client, A, lambda wire: Destination(queue=A) if wire["order_id"] == f"{0:032x}" else None)

    assert server.numbers(A) == [0]
    assert moves.dropped == (f"{1:032x}",)
    assert server.client.hlen(HELD_BY_A.messages) == 0


def test_the_late_acknowledgement_of_a_zombie_does_not_take_the_new_owners_message(server: Server) -> None:
    server.publish(A, range(1))
    with server.consumer(A) as zombie, server.consumer(B) as owner:
        (late,) = zombie.take(1)
        take_back(server.client, A, to(B))
        (held,) = owner.take(1)

        late.ack()

        assert server.client.hkeys(HELD_BY_B.messages) == [held.delivery_tag.encode()]
        assert held.delivery_tag != late.delivery_tag


def test_a_zombie_that_puts_its_message_back_adds_none(server: Server) -> None:
    server.publish(A, range(1))
    with server.consumer(A) as zombie:
        (late,) = zombie.take(1)
        take_back(server.client, A, to(B))

        late.requeue()

    assert (server.numbers(A), server.numbers(B)) == ([], [0])


def test_waiting_and_held_orders_are_listed_with_their_device_and_epoch(server: Server) -> None:
    server.publish(A, range(2), epoch=5)
    server.publish(B, range(2, 3))
    server.publish("manager.local", range(3, 4))
    server.client.lpush(A, b"junk")
    with server.consumer(A) as consumer:
        consumer.take(1)

    shared = {"task": "segfleet.store", "run_id": "f" * 32}
    assert waiting_orders(server.client, [A, B, C]) == [
        WaitingOrder(queue=A, unacknowledged=False, order_id=f"{1:032x}", device="a", epoch=5, **shared),
        WaitingOrder(queue=B, unacknowledged=False, order_id=f"{2:032x}", device="b", epoch=3, **shared),
        WaitingOrder(queue=A, unacknowledged=True, order_id=f"{0:032x}", device="a", epoch=5, **shared),
    ]


def test_ten_thousand_messages_move(server: Server) -> None:
    server.publish(A, range(10_000))

    moves = move_queue(server.client, A, to(B, device="b"))

    assert len(moves.moved) == server.client.llen(B) == 10_000


def work_on(server: Server, queue: str, done: list[int], stop: threading.Event) -> None:
    """Consume and acknowledge until ``stop`` is set."""
    with server.consumer(queue) as consumer:
        while not stop.is_set():
            try:
                consumer.connection.drain_events(timeout=0.1)
            except TimeoutError:
                continue
            while consumer.taken:
                message = consumer.taken.pop()
                done.append(number_of(message))
                message.ack()


def move_on(server: Server, moved: list[str], stop: threading.Event) -> None:
    """Move A to B until ``stop`` is set."""
    while not stop.is_set():
        moved.extend(move_queue(server.client, A, to(B, device="b")).moved)


def test_no_order_is_lost_or_doubled_while_others_publish_and_consume(server: Server) -> None:
    count = 1000
    stop = threading.Event()
    done: list[int] = []
    moved: list[str] = []
    threads = [
        threading.Thread(target=server.publish, args=(A, range(count))),
        threading.Thread(target=work_on, args=(server, A, done, stop)),
        threading.Thread(target=work_on, args=(server, B, done, stop)),
        threading.Thread(target=move_on, args=(server, moved, stop)),
        threading.Thread(target=move_on, args=(server, moved, stop)),
    ]
    for thread in threads:
        thread.start()
    try:
        deadline = time.monotonic() + 3 * DEADLINE_S
        while len(done) < count and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=DEADLINE_S)

    assert sorted(done) == list(range(count))
    assert len(moved) == len(set(moved)) > 0
    assert server.client.hlen(HELD_BY_A.messages) == server.client.hlen(HELD_BY_B.messages) == 0
    assert server.client.llen(A) == server.client.llen(B) == 0


def test_a_run_learns_at_its_end_what_waited_and_what_workers_write_to_a_target(server: Server) -> None:
    server.publish(A, range(1, 3), target="back")
    server.publish(A, range(3, 4))
    with (
        Link(server.url, "manager.local", ensure_broker=lambda: None) as link,
        server.consumer(A) as writing,
        server.consumer(A) as reading,
    ):
        writing.take(1)
        assert move_queue(server.client, A, lambda order: None if order["order_id"] == f"{2:032x}" else LEAVE).dropped
        reading.take(1)
        server.publish(A, range(4, 5), target="back")

        purged = link.purge_own("a")

    assert [int(order_id, 16) for order_id in purged.held] == [1]
    assert [int(order_id, 16) for order_id in purged.waited] == [4]
    assert server.numbers(A) == []


@pytest.mark.parametrize("key", [A, HELD_BY_A.messages, HELD_BY_A.times])
def test_a_key_of_another_type_is_no_queue_and_holds_no_run_up(server: Server, key: str) -> None:
    server.client.delete(A, HELD_BY_A.messages, HELD_BY_A.times)
    with Link(server.url, "manager.local", ensure_broker=lambda: None) as link:
        server.client.set(key, "no queue")
        assert link.waiting(["a"]) == set()
        assert link.purge_own("a") == Purged(waited=(), held=())
        for act in (lambda: link.send([DESCRIBE]), lambda: link.move("a", lambda order: LEAVE)):
            server.client.set(key, "no queue")
            act()
        link.withdraw(["a"], ["0" * 32])
        link.release("a", [])

    server.client.delete(key)
