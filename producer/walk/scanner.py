"""What the scout of a source does: it scans, and a thread of it notices when the file system is silent."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

from msgspec.structs import astuple

from producer.host.scouting.outbox import Outbox
from producer.walk.columns import columns_of
from producer.walk.found import Rest
from producer.walk.tree import SourceTree

#: After this time a person wants to know what the walk waits for.
_NAMED_AFTER_S = 10.0


def scan(tree: SourceTree, rest: Rest, limit_s: float) -> None:
    """Report what the tree has, to the end or to what takes longer than ``limit_s``."""
    _Scan(tree, limit_s).run(rest)


class _Scan:
    def __init__(self, tree: SourceTree, limit_s: float) -> None:
        self._tree = tree
        self._limit_s = limit_s
        self._outbox = Outbox()
        tree.report_to(lambda trouble: self._tell("trouble", (trouble.code, trouble.message, trouble.path)))

    def run(self, rest: Rest) -> None:
        threading.Thread(target=self._watch, daemon=True).start()
        for found in self._tree.scan(rest):
            if found.is_known:
                self._tell("known", found.directory)
            else:
                self._tell("found", tuple(columns_of(found)))
        self._tree.waits_for = None
        self._outbox.send_last("end", None)

    def _tell(self, kind: str, content: Any) -> None:
        self._tree.waits_for = None
        self._outbox.send(kind, content)

    def _watch(self) -> None:
        """End the scan, with word of what it waits for, when that takes too long."""
        parent = os.getppid()
        seen, since_s, is_named = None, time.monotonic(), False
        while os.getppid() == parent:
            time.sleep(min(1.0, self._limit_s / 4))
            self._outbox.send_kept()
            silent_s = time.monotonic() - since_s
            if self._tree.waits_for is not seen or seen is None:
                seen, since_s, is_named = self._tree.waits_for, time.monotonic(), False
            elif silent_s > self._limit_s:
                self._give_up(seen)
            elif silent_s > min(_NAMED_AFTER_S, self._limit_s / 2) and not is_named:
                is_named = True
                self._outbox.send("waits", self._tree.absolute(*seen))
        os._exit(0)

    def _give_up(self, seen: tuple[str, str]) -> None:
        with self._outbox.lock:
            if self._tree.waits_for is seen:
                found, rest = self._tree.rest()
                content = None if found is None else tuple(columns_of(found))
                where = None if self._tree.is_comparing else self._tree.absolute(*seen)
                self._outbox.send_last("stuck", (where, content, astuple(rest)))
                os._exit(0)
