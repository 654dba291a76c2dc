"""When a manager starts a child for its schedule."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

from producer.manager.protocol.asks.storing import AskBackup
from producer.manager.protocol.messages import Command
from tasks.broker.queues import MASTER_PREFIX
from tasks.errors import SegfleetError

#: How often to ask the catalog what is due, and how many children may run it.
_LOOK_EVERY_S = 2.0
_CHILDREN_COUNT = 4

#: The pause after a child that could run nothing: the next one would most likely fail in the same way.
_PAUSE_S = 15.0


class Due:
    """Call :meth:`wants_child` often.  ``is_due`` reads the catalog; ``note`` gets trouble with that."""

    def __init__(self, is_due: Callable[[], bool], note: Callable[[str], None]) -> None:
        self._is_due = is_due
        self._note = note
        self._next_look_s = 0.0
        self._children: set[str] = set()
        #: Why the catalog does not answer, "" if it does; reported when it changes.
        self._trouble = ""

    def wants_child(self) -> bool:
        if time.monotonic() < self._next_look_s:
            return False
        self._next_look_s = time.monotonic() + _LOOK_EVERY_S
        return len(self._children) < _CHILDREN_COUNT and self._is_there()

    def started(self, run_id: str) -> None:
        self._children.add(run_id)

    def ended(self, run_id: str, *, has_run: bool) -> None:
        """A run of the manager has ended, for the schedule or not; ``has_run``: a backup was begun."""
        if run_id in self._children and not has_run:
            self._next_look_s = time.monotonic() + _PAUSE_S
        self._children.discard(run_id)

    def _is_there(self) -> bool:
        """Nothing is due while the catalog does not answer: a database may restart while the manager runs."""
        try:
            is_due, trouble = self._is_due(), ""
        except SegfleetError as error:
            is_due, trouble = False, error.message
        if trouble != self._trouble:
            self._trouble = trouble
            self._note(f"the schedule is paused: {trouble}" if trouble else "the schedule continues")
        return is_due


def due_command() -> Command:
    """A command that stands for a scheduled run in the list of runs; nobody gets replies."""
    run_id = uuid.uuid4().hex
    return Command(
        run_id=run_id,
        nonce=run_id,
        command="backup",
        ask=AskBackup(sources=("(as scheduled)",)),
        json=True,
        detached=True,
        reply_to=MASTER_PREFIX + run_id,
        expires_s=0,
    )
