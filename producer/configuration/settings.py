"""The keys that a configuration file sets, each with its line."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from producer.configuration.toml_lines import line_of


class Setting(Struct, frozen=True, kw_only=True):
    keys: tuple[str, ...]
    value: Any
    line: int

    @property
    def name(self) -> str:
        return ".".join(self.keys)


def settings_in(text: str) -> list[Setting]:
    """All of them, in the order of the file, whose text is valid TOML."""
    return [
        Setting(keys=keys, value=value, line=line_of(text, keys)) for keys, value in _leaves(tomllib.loads(text), ())
    ]


def _leaves(table: dict[str, Any], above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in table.items():
        keys = (*above, key)
        if isinstance(value, dict):
            yield from _leaves(value, keys)
        else:
            yield keys, value
