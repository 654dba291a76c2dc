"""Finds the line of a TOML key: tomllib does not keep line numbers."""

from __future__ import annotations

import re


def line_of(text: str, keys: tuple[str, ...]) -> int:
    """The line, from 1, where the key path ``keys`` is set in a TOML text; else the line of its table, else 1."""
    wanted, table, best = ".".join(keys), "", 1
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[+([^\]]+)\]", line)
        setting = re.match(r"\s*([^=#\[]+?)\s*=", line)
        if header:
            table = _bare(header[1])
            found = table
        elif setting:
            found = f"{table}.{_bare(setting[1])}".lstrip(".")
        else:
            continue
        if found == wanted:
            return number
        if wanted.startswith(found + "."):
            best = number
    return best


def _bare(key: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in key.split("."))
