"""The replies to one command, and nothing else that comes into the inbox."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from producer.manager.mailbox import Mailbox
from producer.manager.protocol.messages import Reply, decode_reply
from tasks.errors import BrokerError, MessageError


class Replies:
    """Used from one thread."""

    def __init__(self, mailbox: Mailbox, manager: str, *, run_id: str, nonce: str) -> None:
        self._mailbox = mailbox
        self._manager = manager
        self._mine = (run_id, nonce)
        self._numbered_count = 0

    def receive(self, timeout_s: float, others: Callable[[Reply], None] = lambda reply: None) -> Iterator[Reply]:
        """The replies that have come; ``others`` gets those to other commands.

        Raises BrokerError when a part of the output was lost.
        """
        for wire in self._mailbox.receive(timeout_s):
            try:
                reply = decode_reply(wire)
            except MessageError:
                continue
            if (reply.run_id, reply.nonce) != self._mine:
                others(reply)
            elif self._is_new(reply):
                yield reply

    def _is_new(self, reply: Reply) -> bool:
        if not reply.number:
            return True
        if reply.number > self._numbered_count + 1:
            raise BrokerError(
                f"the broker lost a part of the output of manager {self._manager}", hint="run the command again"
            )
        is_new = reply.number > self._numbered_count
        self._numbered_count = reply.number
        return is_new
