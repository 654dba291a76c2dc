"""Says in plain words what is wrong with a value of the configuration file."""

from __future__ import annotations

import re

_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
}
#: What comparisons of msgspec's messages mean.
_BOUNDS = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}


def in_words(message: str) -> str:
    """The message of a ``msgspec.ValidationError``, without its place, as people say it; unknown ones stay."""
    if found := re.fullmatch(r"Expected `([^`]+)`, got `([^`]+)`", message):
        return f"must be {_kind(found[1])}, not {_kind(found[2])}"
    if found := re.fullmatch(r"Expected `[^`]+` ([<>]=?) (\S+)", message):
        return f"must be {_BOUNDS[found[1]]} {found[2].removesuffix('.0')}"
    if found := re.fullmatch(r"Invalid enum value (.+)", message):
        return f"unknown value {found[1]}"
    if found := re.fullmatch(r"Object missing required field `([^`]+)`", message):
        return f"{found[1]} is missing"
    return message


def _kind(name: str) -> str:
    """``int | null`` → a whole number: TOML has no null."""
    kinds = [kind for kind in name.split(" | ") if kind != "null"]
    return " or ".join(_KINDS.get(kind, kind) for kind in kinds)
