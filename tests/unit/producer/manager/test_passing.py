"""Output on its way from a manager's child to a master: in order, once each, and never more than a window of it."""

from __future__ import annotations

import signal

import pytest

from producer.manager.passing import Passing
from producer.manager.protocol.asks.restoring import AskDump
from producer.manager.protocol.messages import Command, Reply
from producer.master.ask import Asking
from tasks.errors import BrokerError
from tasks.wire import encode

RUN_ID = "0" * 32
COMMAND = Command(
    run_id=RUN_ID,
    nonce=RUN_ID,
    command="dump",
    ask=AskDump(snapshot="latest"),
    json=False,
    detached=False,
    reply_to=f"master.{RUN_ID}",
    expires_s=1,
)


class Child:
    """Prints these chunks, one at a time, and ends."""

    def __init__(self, chunks: list[bytes], *, errors: list[str] | None = None) -> None:
        self.chunks = chunks
        self._errors = errors or []
        self.signals: list[signal.Signals] = []

    def errors(self) -> list[str]:
        errors, self._errors = self._errors, []
        return errors

    def data(self, limit_bytes: int, wait_s: float) -> bytes:
        return self.chunks.pop(0) if self.chunks else b""

    def exit_code(self) -> int | None:
        return None if self.chunks else 3

    def signal(self, number: signal.Signals) -> None:
        self.signals.append(number)


class Queue:
    """The master's inbox, and the mailbox at either end of it."""

    inbox = COMMAND.reply_to

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.most = 0
        #: What the master has sent to the manager.
        self.commands: list[object] = []
        #: How the next sendings go: "" well, "lost" not at all, "unsure" well, but nobody is told.
        self.troubles: list[str] = []

    def send(self, name: str, reply: Reply) -> None:
        if name != self.inbox:
            self.commands.append(reply)
            return
        trouble = self.troubles.pop(0) if self.troubles else ""
        if trouble != "lost":
            self.replies.append(reply)
            self.most = max(self.most, len(self.replies))
        if trouble:
            raise BrokerError("away")

    def now_s(self) -> int:
        return 1

    def waiting_count(self, name: str) -> int:
        return len(self.replies)

    def receive(self, timeout_s: float) -> list[object]:
        taken, self.replies = self.replies, []
        return [encode(reply) for reply in taken]


class Shown:
    def __init__(self) -> None:
        self.bytes = b""
        self.errors: list[str] = []

    def out(self, line: str) -> None:
        raise AssertionError(line)

    def data(self, data: bytes) -> None:
        self.bytes += data

    def err(self, line: str) -> None:
        self.errors.append(line)


def passing(child: Child, queue: Queue) -> Passing:
    return Passing(COMMAND, child, send=queue.send, waiting_count=queue.waiting_count)  # type: ignore[arg-type]


def follow(queue: Queue, shown: Shown) -> int:
    asking = Asking("redis://nowhere", "m", queue, run_id=RUN_ID, nonce=RUN_ID, is_run=True)  # type: ignore[arg-type]
    return asking.follow(shown)


def test_bytes_and_errors_arrive_in_order_with_the_exit_code() -> None:
    queue, shown = Queue(), Shown()
    chunks = [bytes([number]) * 1000 for number in range(5)]

    assert passing(Child(chunks[:], errors=["segfleet: a note"]), queue).look() == 3

    assert follow(queue, shown) == 3
    assert shown.bytes == b"".join(chunks)
    assert shown.errors == ["segfleet: a note"]


def test_a_master_that_takes_nothing_holds_the_child_up_after_a_window() -> None:
    queue, child = Queue(), Child([b"x"] * 100)
    run = passing(child, queue)

    assert [run.look() for _ in range(10)] == [None] * 10

    assert queue.most == 16
    assert len(child.chunks) == 100 - 16 - 1
    for _ in range(7):
        queue.receive(0)
        run.look()
    assert child.chunks == []


def test_what_could_not_be_sent_is_sent_again_and_shown_once() -> None:
    queue, shown = Queue(), Shown()
    queue.troubles = ["lost", "unsure", "", "lost", "unsure"]
    run = passing(Child([b"one ", b"two ", b"three"]), queue)

    codes = [run.look() for _ in range(10)]

    assert 3 in codes
    assert follow(queue, shown) == 3
    assert shown.bytes == b"one two three"


def test_a_part_that_the_broker_lost_is_an_error_not_a_gap() -> None:
    queue, shown = Queue(), Shown()
    passing(Child([b"one ", b"two ", b"three"]), queue).look()
    del queue.replies[1]

    with pytest.raises(BrokerError, match="lost a part"):
        follow(queue, shown)
    assert shown.bytes == b"one "
    assert len(queue.commands) == 1, "the manager is told to stop"


def test_what_a_stopped_child_still_prints_is_thrown_away() -> None:
    queue, child = Queue(), Child([b"x", b"y"])
    run = passing(child, queue)

    run.stop()

    codes = [run.look() for _ in range(3)]
    assert 3 in codes
    assert child.signals == [signal.SIGINT]
    assert {reply.kind for reply in queue.replies} == {"end"}
