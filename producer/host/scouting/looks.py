"""The one door to what a person names: sources, devices, targets, configuration.

Any of them may lie on a file system that does not answer.  So scouts look at them, and this process stays in control:
signals work, what is silent is named after some seconds, and everything else continues.
"""

from __future__ import annotations

import logging
import math
import os
import pickle
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from producer.host.scouting.scouts import Scout, is_scout, report
from tasks.errors import SegfleetError

log = logging.getLogger("segfleet.looks")

Key = TypeVar("Key")
Seen = TypeVar("Seen")

#: A disk that sleeps needs 10 s to spin up, and an automounter as long to find its server.
LIMIT_S = 20.0
LIMIT_VARIABLE = "SEGFLEET_ANSWER_LIMIT_S"

#: After this time a person wants to know what the command waits for.
_NAMED_AFTER_S = 4.0

#: What was silent is not asked again for this long: a run looks at a path several times.
_REMEMBERED_S = 120.0

#: What has just answered would answer again: two steps of a run that follow each other need not both ask.
_ANSWERED_S = 2.0

#: How often long work shows that it makes progress.
_SIGN_EVERY_S = 0.5

#: Path → until when it counts as silent.
_silent: dict[str, float] = {}

#: Path → when it answered last.
_answered: dict[str, float] = {}

_next_sign_s = 0.0


class SilentError(SegfleetError):
    """A file system does not answer."""

    code = "silent"
    hint = "is the disk or the server of this file system alive? Bring it back, unmount it (umount -l), or leave it out"


def look(path: Path, at: Callable[[Path], Seen], *, on_wait: Callable[[], None] = lambda: None) -> Seen:
    """``at(path)``; raises what that raises, and SilentError.

    ``at`` runs in a scout: what it returns is copied, and what it changes in this process's memory is lost.
    ``on_wait`` is called four times a second meanwhile, and may raise.
    """
    (seen,) = look_at_each({"": path}, at, on_wait=on_wait).values()
    if isinstance(seen, SilentError):
        raise seen
    return seen


def look_at_each(
    paths: Mapping[Key, Path], at: Callable[[Path], Seen], *, on_wait: Callable[[], None] = lambda: None
) -> dict[Key, Seen | SilentError]:
    """``at(path)`` for each, at the same time; raises what that raises."""
    seen: dict[Key, Seen | SilentError] = {}
    with ExitStack() as stack:
        looks = {}
        for key, path in paths.items():
            if (silent := _known_to_be_silent(path)) is not None:
                seen[key] = silent
            else:
                looks[key] = stack.enter_context(_Look(path, partial(_only, at, path), _limit_s()))
        for key, one in looks.items():
            try:
                (seen[key],) = one.items(on_wait)
                _answered[str(paths[key])] = time.monotonic()
            except SilentError as error:
                seen[key] = error
    return {key: seen[key] for key in paths}


def has_just_answered(path: Path) -> bool:
    """Whether a look at it has been answered a moment ago."""
    return time.monotonic() - _answered.get(str(path), -math.inf) < _ANSWERED_S


def look_through(
    path: Path,
    items: Callable[[], Iterable[Seen]],
    *,
    limit_s: float | None = None,
    on_wait: Callable[[], None] = lambda: None,
) -> Iterator[Seen]:
    """The items, one by one, as a scout finds them; raises SilentError when one takes longer than ``limit_s``.

    None: as long as any look may take.
    """
    with _Look(path, items, _limit_s() if limit_s is None else limit_s) as one:
        yield from one.items(on_wait)


def give_sign() -> None:
    """For work in a scout that may take long: say that it makes progress.  Does nothing elsewhere."""
    global _next_sign_s
    now_s = time.monotonic()
    if is_scout() and now_s >= _next_sign_s:
        _next_sign_s = now_s + _SIGN_EVERY_S
        report("sign", None)


def _only(at: Callable[[Path], Seen], path: Path) -> list[Seen]:
    return [at(path)]


class _Look(Scout):
    def __init__(self, path: Path, items: Callable[[], Iterable[Seen]], limit_s: float) -> None:
        self._path = path
        self._limit_s = limit_s
        self._is_named = False
        self._heard_s = time.monotonic()
        super().__init__(partial(_report_items, items))

    def items(self, on_wait: Callable[[], None]) -> Iterator[Seen]:
        def beat() -> None:
            on_wait()
            self._check()

        for kind, content in self.reports(beat):
            self._heard_s = time.monotonic()
            if kind == "item":
                yield pickle.loads(content)
            elif kind == "error":
                raise pickle.loads(content)
            elif kind == "end":
                return

    def _check(self) -> None:
        silent_s = time.monotonic() - self._heard_s
        if silent_s > self._limit_s:
            _silent[str(self._path)] = time.monotonic() + _REMEMBERED_S
            _answered.pop(str(self._path), None)
            raise _silence_of(self._path, self._limit_s)
        if silent_s > _NAMED_AFTER_S and not self._is_named:
            self._is_named = True
            log.warning("waiting for %s, which does not answer", self._path)


def _report_items(items: Callable[[], Iterable[object]]) -> None:
    try:
        for item in items():
            report("item", pickle.dumps(item))
        report("end", None)
    except Exception as error:
        error.add_note(traceback.format_exc())
        report("error", pickle.dumps(error))


def _known_to_be_silent(path: Path) -> SilentError | None:
    if time.monotonic() > _silent.get(str(path), 0.0):
        return None
    return _silence_of(path, _limit_s())


def _silence_of(path: Path, limit_s: float) -> SilentError:
    return SilentError(f"{path} does not answer: nothing for {limit_s:g} s", path=str(path))


def _limit_s() -> float:
    with suppress(ValueError):
        return max(0.1, float(os.environ.get(LIMIT_VARIABLE, "")))
    return LIMIT_S
