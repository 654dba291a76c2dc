"""The generation of a catalog, as its devices keep it: how often the catalog has changed them (docs/manifest.md)."""

from __future__ import annotations

import json
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from tasks.bounded_json import load_bounded
from tasks.values import HexId

#: Such a file has some 200 bytes.
MAX_GENERATION_BYTES = 4096
_MAX_VALUES_COUNT = 100


class Generation(Struct, frozen=True, kw_only=True):
    """``token``: tells it from one of the same number in another copy of the catalog."""

    format_version: Literal[1] = 1
    catalog_id: HexId
    number: Annotated[int, Meta(ge=1, lt=2**31)]
    token: HexId


def generation_name(catalog_id: str) -> str:
    """Name of the file, beside the manifests."""
    return f"{catalog_id}.generation"


def encode_generation(generation: Generation) -> bytes:
    return (json.dumps(msgspec.to_builtins(generation), indent=2) + "\n").encode("ascii")


def decode_generation(data: bytes) -> Generation | None:
    """None for anything that is no sound generation.  Unknown keys are ignored."""
    try:
        return msgspec.convert(load_bounded(data, _MAX_VALUES_COUNT), Generation)
    except (ValueError, TypeError):
        return None
