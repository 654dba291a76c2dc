"""What one worker serves, and where: the only place where names become paths.

The process that starts a worker passes them as plain JSON.  Unknown keys are refused at every depth.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from tasks.errors import UsageError
from tasks.values import DeviceName, SiteNameOrNone, SourceName


class DeviceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One device.  ``bytes_per_s`` and ``discard`` are for tests and benchmarks."""

    path: Path
    #: Write and read no faster than this; None: as fast as the disk.
    bytes_per_s: Annotated[int, Meta(ge=1)] | None = None
    #: Keep no segments; manifests are kept.
    discard: bool = False
    #: Delete nothing, no matter who asks.
    append_only: bool = False
    #: Where the device stands; "" where nobody said.
    site: SiteNameOrNone = ""


class WorkerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything a worker must know before its first order."""

    broker_url: str
    devices: dict[DeviceName, DeviceSettings]
    sources: dict[SourceName, Path] = {}
    targets: dict[SourceName, Path] = {}
    #: Added to the niceness (nice(2)) that the worker was started with.
    nice: Annotated[int, Meta(ge=0, le=19)] = 0
    #: Whether to send the events that Flower shows.
    events: bool = False

    @classmethod
    def from_plain(cls, plain: Any) -> WorkerSettings:
        """Settings from dicts and strings; paths that are not UTF-8 are surrogate escapes.  Raises UsageError."""
        try:
            return msgspec.convert(plain, cls, dec_hook=_decode_path)
        except (msgspec.ValidationError, TypeError) as error:
            raise UsageError(f"settings of the worker: {error}") from error


def _decode_path(cls: type, text: Any) -> Path:
    if cls is not Path or not isinstance(text, str):
        raise TypeError(f"expected the text of a path, got {type(text).__name__}")
    path = Path(text)
    if not path.is_absolute():
        raise TypeError(f"the path {text!r} is not absolute")
    return path
