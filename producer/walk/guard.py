"""Scans a source with scouts, so that an entry that never answers costs that entry and nothing else.

A thread of the scout notices how long the file system has taken, and reports what is left to do for the next scout.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

from producer.host.scouting.scouts import Scout
from producer.observer import Trouble
from producer.walk.columns import Columns
from producer.walk.found import Rest, trouble_of
from producer.walk.scanner import scan
from producer.walk.tree import SourceTree

log = logging.getLogger("segfleet.walk")

#: An entry is given this long.  A directory of many million names on a slow disk takes a minute.
LIMIT_S = 120.0
LIMIT_VARIABLE = "SEGFLEET_WALK_LIMIT_S"


def limit_of_environment() -> float:
    """How long an entry may take, in seconds."""
    with suppress(ValueError):
        return max(0.1, float(os.environ.get(LIMIT_VARIABLE, "")))
    return LIMIT_S


def guarded_scan(
    tree: SourceTree,
    on_trouble: Callable[[Trouble], None],
    beat: Callable[[], None],
    *,
    limit_s: float,
    begun: Scout | None = None,
    rest: Rest | None = None,
) -> Iterator[Columns | str]:
    """As ``tree.scan()``; what takes longer than ``limit_s`` is a trouble, and left out with all below.

    Of a directory that is as ``tree`` knows it there is no more than its path.  ``beat`` is called while there is
    nothing to read, and may raise to end the scan.  ``begun``: a scout that scans just that already; ``rest``: what is
    to be scanned, if not all.
    """
    rest = rest or Rest([""])
    while rest is not None:
        with begun or Scout(partial(scan, tree, rest, limit_s)) as scout:
            begun = rest = None
            for kind, content in scout.reports(beat):
                if kind == "found":
                    yield Columns._make(content)
                elif kind == "known":
                    yield str(content)
                elif kind == "trouble":
                    on_trouble(trouble_of(content))
                elif kind == "waits":
                    log.warning("waiting for %s, which does not answer", content)
                elif kind == "stuck":
                    path, found, left = content
                    if found is not None:
                        yield Columns._make(found)
                    if path is not None:
                        message = f"did not answer within {limit_s:g} s: skipped, with all that is below"
                        on_trouble(Trouble(code="unreadable", message=message, path=path))
                    rest = Rest(*left)
                    break
                else:
                    return
