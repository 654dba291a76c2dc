"""A chart as SVG: for each work a bar for each contender."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from side_by_side.pairs import Runs

_WIDTH = 760
_LABEL_WIDTH = 130
_BAR_HEIGHT = 18
_ROW_HEIGHT = 24
_TITLE_HEIGHT = 40
_VALUE_WIDTH = 150

_OURS = "#1b7f5c"
_LIMIT = "#9aa5b1"
_THEIRS = "#c7d0d9"
_INK = "#1f2933"


def chart(works: Mapping[str, Mapping[str, Runs]], subtitle: str) -> str:
    """``works``: title → contender → runs.  Bars are medians, whiskers the least and the most."""
    body: list[str] = []
    top = 58
    for title, runs in works.items():
        body.append(_text(16, top + 24, title, weight="600"))
        top += _TITLE_HEIGHT
        scale = (_WIDTH - _LABEL_WIDTH - _VALUE_WIDTH) / max(found.most_s for found in runs.values())
        for name, found in runs.items():
            body += _bar(top, name, found, scale)
            top += _ROW_HEIGHT
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top + 16}" font-family="sans-serif">',
        f'<rect width="{_WIDTH}" height="{top + 16}" fill="#ffffff"/>',
        _text(16, 28, "Seconds, side by side: shorter is better", size=17, weight="600"),
        _text(16, 48, subtitle, size=12, fill="#52606d"),
    ]
    return "\n".join([*head, *body, "</svg>", ""])


def _bar(top: int, name: str, runs: Runs, scale: float) -> list[str]:
    width = runs.median_s * scale
    middle = top + _BAR_HEIGHT / 2
    least, most = (_LABEL_WIDTH + seconds * scale for seconds in (runs.least_s, runs.most_s))
    color = {"segfleet": _OURS, "bare loop": _LIMIT}.get(name, _THEIRS)
    return [
        _text(_LABEL_WIDTH - 8, top + 14, name, anchor="end"),
        f'<rect x="{_LABEL_WIDTH}" y="{top}" width="{width:.1f}" height="{_BAR_HEIGHT}" fill="{color}"/>',
        f'<line x1="{least:.1f}" x2="{most:.1f}" y1="{middle}" y2="{middle}" stroke="{_INK}" stroke-width="1.5"/>',
        _text(max(_LABEL_WIDTH + width, most) + 8, top + 14, f"{runs.median_s:.2f} s"),
    ]


def _text(
    x: float, y: float, text: str, *, size: int = 13, weight: str = "400", fill: str = _INK, anchor: str = "start"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" fill="{fill}" '
        f'text-anchor="{anchor}">{escape(text)}</text>'
    )
