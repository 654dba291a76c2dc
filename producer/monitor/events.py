"""Which events Flower believes.  Anyone who may send some can send anything, and Flower computes with what it gets."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

_TYPES = {
    *("worker-online", "worker-heartbeat", "worker-offline", "task-received", "task-started", "task-succeeded"),
    *("task-failed", "task-rejected", "task-revoked", "task-retried"),
}

_WORKER = re.compile(r"[A-Za-z0-9_.-]{1,80}@[A-Za-z0-9_.-]{1,255}")
_NAME = re.compile(r"segfleet\.[a-z_]{1,60}")
_ID = re.compile(r"[0-9a-f-]{32,36}")
_MAX_TEXT = 10_000
_MAX_NUMBER = 10**12


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _MAX_TEXT


def _is_number(value: Any) -> bool:
    # False for NaN too.
    return type(value) in (int, float) and 0 <= value <= _MAX_NUMBER


def _is_hours(value: Any) -> bool:
    return type(value) in (int, float) and -24 <= value <= 24


#: What an event may say, and of which kind each value must be; all else is left out.
_FIELDS: Mapping[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("args", "kwargs", "result", "exception", "traceback", "sw_ident", "sw_ver", "sw_sys"), _is_text),
    **dict.fromkeys(("timestamp", "runtime", "retries", "active", "processed", "pid", "clock"), _is_number),
    "utcoffset": _is_hours,
    "freq": lambda value: _is_number(value) and 0.1 <= value <= 3600,
    "name": lambda value: isinstance(value, str) and _NAME.fullmatch(value) is not None,
}

_NEEDED = ("timestamp", "utcoffset", "clock")


def checked_event(event: Any) -> dict[str, Any] | None:
    """The event with the known fields alone; None when it is none of segfleet's workers."""
    if not isinstance(event, dict) or not _matches(_WORKER, event.get("hostname")):
        return None
    kind = event.get("type")
    if not isinstance(kind, str) or kind not in _TYPES:
        return None
    if any(not is_right(event[name]) for name, is_right in _FIELDS.items() if event.get(name) is not None):
        return None
    if any(event.get(name) is None for name in _NEEDED):
        return None
    known = {name: event[name] for name in _FIELDS if event.get(name) is not None}
    known |= {"type": kind, "hostname": event["hostname"]}
    if kind.startswith("task-"):
        if not _matches(_ID, event.get("uuid")):
            return None
        known["uuid"] = event["uuid"]
    return known


def _matches(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None
