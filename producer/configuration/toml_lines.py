"""Finds the line of a TOML key: tomllib does not keep line numbers."""

from __future__ import annotations

import re


def line_of(text: str, keys: tuple[str, ...]) -> int:
    """The line, from 1, where the key path ``keys`` is set in a TOML text.

    Else the line of what is below it, if there is any (``[devices.a]`` of ``devices``), or of its table, or 1.
    """
    wanted, table, best, below = ".".join(keys), "", 1, 0
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
        if found.startswith(wanted + "."):
            below = below or number
    return below or best


def _bare(key: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in key.split("."))
