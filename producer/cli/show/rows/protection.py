"""Whether what is stored has the copies or the parity that were asked for, in words and in JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from producer.configuration.values.sizes import format_size

if TYPE_CHECKING:
    from producer.catalog.protection import Protection, ProtectionJson, Unprotected, UnprotectedJson


def protection_in_words(one: Protection | None) -> str:
    """ "" where nothing was asked for."""
    return "" if one is None else one.words


def json_protection(one: Protection | None) -> dict[str, ProtectionJson]:
    if one is None:
        return {}
    return {"protection": one.fields}


def unprotected_in_words(one: Unprotected | None) -> str:
    return "" if one is None else format_size(one.bytes_stored)


def json_unprotected(one: Unprotected | None) -> dict[str, UnprotectedJson]:
    return {"unprotected": {"segments": 0, "bytes": 0} if one is None else one.fields}
