"""Scans a source in a process of its own, so that an entry that never answers costs that entry and nothing else.

Whoever looks at a mount whose server hangs waits, and may not even be killed: not a thread then, but a process that
can be left behind.  It holds nothing: no lock, no connection, no output of ours.  A thread of it notices how long the
file system has taken, and tells what is left to do, which the next process does.
"""

from __future__ import annotations

import os
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress

from producer.observer import Trouble
from producer.walk.found import Found, Rest
from producer.walk.scanner import scan_and_exit
from producer.walk.sending import found_of, messages_from, trouble_of
from producer.walk.tree import SourceTree

#: An entry is given this long.  A directory of many million names on a slow disk takes a minute.
LIMIT_S = 120.0
LIMIT_VARIABLE = "SEGFLEET_WALK_LIMIT_S"


def limit_of_environment() -> float:
    """How long an entry may take, in seconds."""
    with suppress(ValueError):
        return max(0.1, float(os.environ.get(LIMIT_VARIABLE, "")))
    return LIMIT_S


def guarded_scan(
    tree: SourceTree, on_trouble: Callable[[Trouble], None], beat: Callable[[], None], *, limit_s: float
) -> Iterator[Found]:
    """As ``tree.scan()``; what takes longer than ``limit_s`` is a trouble, and left out with all below.

    ``beat`` is called while there is nothing to read, and may raise to end the scan.
    """
    rest: Rest | None = Rest([""])
    while rest is not None:
        with _Scanner(tree, rest, limit_s) as scanner:
            rest = None
            for kind, content in messages_from(scanner.output, beat):
                if kind == "found":
                    yield found_of(content)
                elif kind == "trouble":
                    on_trouble(trouble_of(content))
                elif kind == "stuck":
                    path, found, pending, directory, after_name, below = content
                    if found is not None:
                        yield found_of(found)
                    message = f"did not answer within {limit_s:g} s: skipped, with all that is below"
                    on_trouble(Trouble(code="unreadable", message=message, path=path))
                    rest = Rest(pending, directory=directory, after_name=after_name, below=tuple(below))
                    break
                else:
                    return


class _Scanner:
    """The process that scans, as the one that started it sees it; left behind if it cannot be ended."""

    def __init__(self, tree: SourceTree, rest: Rest, limit_s: float) -> None:
        self.output, write_end = os.pipe()
        with warnings.catch_warnings():
            # Other threads may hold locks: the child takes none of theirs, and runs nothing but the scan.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._pid = os.fork()
        if not self._pid:
            scan_and_exit(tree, rest, limit_s, write_end)
        os.close(write_end)

    def __enter__(self) -> _Scanner:
        return self

    def __exit__(self, *exc_info: object) -> None:
        os.close(self.output)
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        # One that waits for a server that hangs does not end: it is not waited for.
        for _ in range(20):
            with suppress(ChildProcessError):
                if not os.waitpid(self._pid, os.WNOHANG)[0]:
                    time.sleep(0.005)
                    continue
            return
