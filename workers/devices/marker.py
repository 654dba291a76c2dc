"""The marker ``segfleet.json`` makes a folder a device; nothing is written to a folder without it."""

from __future__ import annotations

import json
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from tasks.bounded_json import load_bounded
from tasks.errors import NotADeviceError
from tasks.receipts import HexIdOrNone
from tasks.values import DeviceName, HexId, SiteNameOrNone

FORMAT_VERSION = 1

#: A marker has some 200 bytes.
MAX_MARKER_BYTES = 64 * 1024
_MAX_VALUES_COUNT = 1000


class NewerMarkerError(NotADeviceError):
    """The device was made by a later release."""

    code = "newer-device"
    hint = "use the release of segfleet that made it, or a later one"


class DamagedMarkerError(NotADeviceError):
    """There is a marker, but it makes no sense."""

    code = "damaged-marker"
    hint = "restore segfleet.json from a copy; segfleet check names the segments that are still whole"


class Marker(Struct, frozen=True, kw_only=True):
    """``created`` is RFC 3339, UTC; ``catalog_id`` is who alone may delete on the device, "" for nobody."""

    format_version: Annotated[int, Meta(ge=1)]
    device_id: HexId
    name: DeviceName
    pool_id: HexId
    created: str
    catalog_id: HexIdOrNone = ""
    #: Where the device stood when it joined its pool.
    site: SiteNameOrNone = ""


def encode_marker(marker: Marker) -> bytes:
    """JSON for people too: one key a line."""
    return json.dumps(msgspec.to_builtins(marker), indent=2).encode() + b"\n"


def decode_marker(data: bytes, where: str) -> Marker:
    """The marker that ``data`` holds; ``where`` names the file in the errors.

    Ignores unknown keys, for later releases.  Raises NewerMarkerError or DamagedMarkerError.
    """
    try:
        plain = load_bounded(data, _MAX_VALUES_COUNT)
        version = plain["format_version"]
        if isinstance(version, int) and version > FORMAT_VERSION:
            raise NewerMarkerError(f"{where}: device format {version}; this segfleet knows {FORMAT_VERSION}")
        return msgspec.convert(plain, Marker)
    except (ValueError, TypeError, KeyError) as error:
        raise DamagedMarkerError(f"{where}: not a marker ({error})") from error
