"""What a master finds out when its manager is silent: whether it lives, and whether the run has ended."""

from __future__ import annotations

import time
from collections.abc import Callable

import redis

from producer.manager.mailbox import Mailbox
from producer.manager.presence import PRESENCE_LIFE_S, RunStatus, runs
from producer.master.choose import NoManagerError, is_there, lost_run

#: A killed manager disappears within PRESENCE_LIFE_S, and is found missing within this time after that.
LOOK_EVERY_S = 3.0

#: A manager that does not know the run for this long will not know it later either.
_UNKNOWN_S = 30.0


class Silence:
    """Call :meth:`heard` for each reply, and :meth:`look` often."""

    def __init__(
        self, mailbox: Mailbox, manager: str, run_id: str, *, is_run: bool, say: Callable[[str], None]
    ) -> None:
        self._mailbox = mailbox
        self._manager = manager
        self._run_id = run_id
        self._is_run = is_run
        self._say = say
        self.has_manager = True
        self._has_broker = True
        self._next_look_s = time.monotonic() + LOOK_EVERY_S
        self._known_s = time.monotonic()
        #: What the last look found; nothing has come since.
        self._found: RunStatus | None = None

    def heard(self) -> None:
        self._next_look_s = time.monotonic() + LOOK_EVERY_S
        self._known_s = time.monotonic()
        self._found = None
        self._note_manager(has_manager=True)

    def look(self) -> int | None:
        """The exit code of a run whose last reply the broker lost, once two looks in a row found it ended.

        Raises NoManagerError when the manager of a list or a dump is gone, or does not know the run.
        """
        now_s = time.monotonic()
        if now_s < self._next_look_s:
            return None
        self._next_look_s = now_s + LOOK_EVERY_S
        try:
            has_manager = is_there(self._mailbox.redis, self._manager)
            found = next(iter(runs(self._mailbox.redis, self._run_id)), None) if self._is_run else None
        except (redis.RedisError, OSError) as error:
            self._lose_broker(error)
            return None
        if not self._has_broker:
            # The manager's key may have run out meanwhile: give it the time to write it again.
            self._has_broker = True
            self._next_look_s = self._known_s = now_s + PRESENCE_LIFE_S
            return None
        return self._judge(found, has_manager=has_manager)

    def _judge(self, found: RunStatus | None, *, has_manager: bool) -> int | None:
        if not self._is_run and not has_manager:
            raise NoManagerError(f"manager {self._manager} is gone", hint="run the command again when it is back")
        self._note_manager(has_manager=has_manager)
        if found is not None or not has_manager:
            self._known_s = time.monotonic()
        elif self._is_run and time.monotonic() > self._known_s + _UNKNOWN_S:
            raise lost_run(self._manager, self._run_id, has_manager=True)
        before, self._found = self._found, found
        # A manager that is away, or was away for a moment, may still resume the run.
        is_over = has_manager and found is not None and found == before
        return found.exit_code if found is not None and is_over else None

    def _note_manager(self, *, has_manager: bool) -> None:
        before, self.has_manager = self.has_manager, has_manager
        if before and not has_manager:
            self._say(
                f"manager {self._manager} is gone; run {self._run_id[:8]} continues when it is back "
                f"(segfleet manager {self._manager}, on its host); Ctrl-C ends the wait"
            )
        elif has_manager and not before:
            self._say(f"manager {self._manager} is back")

    def _lose_broker(self, error: Exception) -> None:
        if self._has_broker:
            self._say(f"the broker does not answer ({error}); waiting for it; Ctrl-C ends the wait")
        self._has_broker = False
        self._found = None
