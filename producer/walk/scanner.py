"""The process that scans: it holds nothing but its pipe, and a thread of it notices when the file system is silent."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from contextlib import suppress
from typing import Any

from producer.walk.found import Rest
from producer.walk.sending import OUTPUT, content_of, write_message
from producer.walk.tree import SourceTree


def scan_and_exit(tree: SourceTree, rest: Rest, limit_s: float, output: int) -> None:
    """All that the child does."""
    try:
        _let_go_of_all_but(output)
        _Child(tree, output, limit_s).run(rest)
    finally:
        os._exit(0)


def _let_go_of_all_but(output: int) -> None:
    """Neither locks nor connections may outlive their owner here, and nobody may wait for our output."""
    gc.disable()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    os.dup2(output, OUTPUT)
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            if int(name) > OUTPUT:
                os.close(int(name))


class _Child:
    def __init__(self, tree: SourceTree, output: int, limit_s: float) -> None:
        self._tree = tree
        self._limit_s = limit_s
        self._writing = threading.Lock()
        tree.report_to(lambda trouble: self._tell("trouble", (trouble.code, trouble.message, trouble.path)))

    def run(self, rest: Rest) -> None:
        threading.Thread(target=self._watch, daemon=True).start()
        for found in self._tree.scan(rest):
            self._tell("found", content_of(found))
        self._tell("end", None)

    def _tell(self, kind: str, content: Any) -> None:
        self._tree.waits_for = None
        with self._writing:
            write_message(kind, content)

    def _watch(self) -> None:
        """End the scan, with word of what it waits for, when that takes too long."""
        parent = os.getppid()
        seen, since_s = None, time.monotonic()
        while os.getppid() == parent:
            time.sleep(min(1.0, self._limit_s / 4))
            if self._tree.waits_for is not seen or seen is None:
                seen, since_s = self._tree.waits_for, time.monotonic()
            elif time.monotonic() - since_s > self._limit_s:
                with self._writing:
                    if self._tree.waits_for is seen:
                        found, rest = self._tree.rest()
                        content = None if found is None else content_of(found)
                        where = self._tree.absolute(*seen)
                        write_message(
                            "stuck", (where, content, rest.pending, rest.directory, rest.after_name, rest.below)
                        )
                        os._exit(0)
        os._exit(0)
