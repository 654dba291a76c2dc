"""Whether what is stored has the copies or the parity that were asked for, in words and in JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from producer.configuration.values.sizes import format_size

if TYPE_CHECKING:
    from producer.catalog.protection import Protection, Unprotected
    from producer.cli.show.json_types.lists import ProtectionJson, UnprotectedJson


def protection_in_words(one: Protection | None) -> str:
    """ "" where nothing was asked for."""
    return "" if one is None else one.words


def json_protection(one: Protection | None) -> dict[str, ProtectionJson]:
    if one is None:
        return {}
    return {"protection": {"copies": one.copies, "parity": one.parity, "unprotected_segments": one.unprotected_count}}


def unprotected_in_words(one: Unprotected | None) -> str:
    return "" if one is None else format_size(one.bytes_stored)


def json_unprotected(one: Unprotected | None) -> dict[str, UnprotectedJson]:
    if one is None:
        return {"unprotected": {"segments": 0, "bytes": 0}}
    return {"unprotected": {"segments": one.segments_count, "bytes": one.bytes_stored}}
