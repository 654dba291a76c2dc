"""Makes file names safe to print: a name may contain newlines, escape sequences and broken UTF-8."""

from __future__ import annotations

import os
import re

_NAMED = {0x07: r"\a", 0x08: r"\b", 0x09: r"\t", 0x0A: r"\n", 0x0B: r"\v", 0x0C: r"\f", 0x0D: r"\r", 0x5C: r"\\"}
#: C0 and C1 controls, DEL, line separators, the surrogates of bytes that are not UTF-8, and what has no width or turns
#: the direction of what follows: with it a name could pose as another.
_INVISIBLE = r"\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff"
_UNSAFE = re.compile(rf"[\x00-\x1f\\{_INVISIBLE}]")
_CONTROLS = re.compile(rf"[\x00-\x09\x0b-\x1f{_INVISIBLE}]")


def escaped(text: str) -> str:
    r"""``text`` on one line and without control characters, like ``ls -b``: ``\n``, ``\033``, ``\377``."""
    return _UNSAFE.sub(lambda match: _escape(match[0]), text)


def _escape(character: str) -> str:
    number = ord(character)
    if number in _NAMED:
        return _NAMED[number]
    return "".join(f"\\{byte:03o}" for byte in os.fsencode(character))


def harmless(text: str) -> str:
    """``text`` without control characters; keeps its lines and backslashes."""
    return _CONTROLS.sub(lambda match: _escape(match[0]), text)
