"""How a list says that a snapshot cannot be restored as a whole now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from producer.summaries import Incomplete


def in_words(incomplete: Iterable[Incomplete]) -> str:
    """``incomplete (device c)``, ``incomplete (device c, lost)``, or nothing for a snapshot that is whole.

    What a manifest named that is damaged on all devices: ``incomplete (manifest damaged)``.  What lies on rotating
    devices that are away: ``needs device c``.
    """
    incomplete = list(incomplete)
    names = [_named(lack) for lack in incomplete if lack.device and not lack.rotating]
    away = [lack.device for lack in incomplete if lack.rotating]
    said = [f"incomplete ({_devices(names)})"] if names else []
    said += ["incomplete (manifest damaged)"] if any(not lack.device for lack in incomplete) else []
    return ", ".join([*said, f"needs {_devices(away)}"] if away else said)


def _devices(names: Sequence[str]) -> str:
    return f"device{'s' if len(names) > 1 else ''} {', '.join(names)}"


def _named(lack: Incomplete) -> str:
    return f"{lack.device}, lost" if lack.lost else f"{lack.device}, damaged" if lack.damaged else lack.device
