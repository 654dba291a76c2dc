"""The page's pictures as inline SVG.  Shapes have classes, so that the style gives their colours in light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from functools import lru_cache
from html import escape

from producer.configuration.values.sizes import format_size
from producer.monitor.page.history import DAYS_COUNT, Day, Mark

#: Classes of the style for the devices of a chart, in order; further devices share the last.
HUES_COUNT = 8

_CHART_WIDTH, _CHART_HEIGHT, _AXIS = 600, 120, 16


def bar(parts: Sequence[tuple[str, float]], label: str) -> str:
    """A bar of (class, share of the whole), from the left."""
    shapes, left = [], 0.0
    for name, share in parts:
        width = max(0.0, min(share, 1.0 - left)) * 100
        shapes.append(f'<rect class="{name}" x="{left * 100:.2f}" y="0" width="{width:.2f}" height="10"/>')
        left += width / 100
    return _svg("bar", "0 0 100 10", label, ['<rect class="rest" x="0" y="0" width="100" height="10"/>', *shapes])


@lru_cache(maxsize=1024)
def strip(marks: tuple[Mark, ...], first: date) -> str:
    """One small box for each day from the first on."""
    shapes = [
        f'<rect class="{mark}" x="{number * 6}" y="0" width="5" height="16" rx="1">'
        f"<title>{first + timedelta(days=number)}: {_WORDS[mark]}</title></rect>"
        for number, mark in enumerate(marks)
    ]
    counts = ", ".join(
        f"{marks.count(mark)} {_WORDS[mark]}" for mark in ("done", "partial", "failed", "interrupted") if mark in marks
    )
    return _svg("strip", f"0 0 {DAYS_COUNT * 6 - 1} 16", f"last {DAYS_COUNT} days: {counts or 'no backup'}", shapes)


_WORDS: dict[Mark, str] = {
    "none": "no backup",
    "done": "done",
    "partial": "partial",
    "failed": "failed",
    "interrupted": "interrupted",
}


def stored_chart(history: Sequence[Day], devices: Sequence[str]) -> str:
    """Stored bytes of each day, one colour for each of ``devices``."""
    most_bytes = max(day.total_bytes for day in history)
    shapes = [
        _stored_column(number, day.date, tuple(day.stored_bytes.items()), most_bytes, tuple(devices))
        for number, day in enumerate(history)
    ]
    return _chart("Stored bytes a day", format_size(most_bytes), shapes, history)


@lru_cache(maxsize=4 * DAYS_COUNT)
def _stored_column(
    number: int, day: date, stored: tuple[tuple[str, int], ...], most_bytes: int, devices: tuple[str, ...]
) -> str:
    shapes, top = [], float(_CHART_HEIGHT)
    for device, stored_bytes in sorted(stored, key=lambda one: (one[0] not in devices, one[0])):
        height = stored_bytes / max(most_bytes, 1) * (_CHART_HEIGHT - _AXIS)
        top -= height
        text = f"{day}, {escape(device)}: {format_size(stored_bytes)}"
        shapes.append(_column(number, top, height, hue(device, devices), text))
    return "".join(shapes)


def minutes_chart(history: Sequence[Day]) -> str:
    most = max(day.minutes for day in history)
    shapes = []
    for number, day in enumerate(history):
        if day.minutes:
            height = day.minutes / most * (_CHART_HEIGHT - _AXIS)
            text = f"{day.date:%Y-%m-%d}: {day.minutes:.1f} minutes"
            shapes.append(_column(number, _CHART_HEIGHT - height, height, "time", text))
    return _chart("Minutes of backups a day", f"{most:.1f} min", shapes, history)


def hue(device: str, devices: Sequence[str]) -> str:
    """The class for the colour of a device."""
    return f"hue{min(devices.index(device) if device in devices else HUES_COUNT - 1, HUES_COUNT - 1)}"


def _column(number: int, top: float, height: float, name: str, text: str) -> str:
    width = _CHART_WIDTH / DAYS_COUNT
    return (
        f'<rect class="{name}" x="{number * width + 1:.1f}" y="{top:.1f}" width="{width - 3:.1f}" '
        f'height="{max(height, 1):.1f}"><title>{text}</title></rect>'
    )


def _chart(label: str, most: str, shapes: Sequence[str], history: Sequence[Day]) -> str:
    axis = [
        f'<path class="axis" d="M0 {_CHART_HEIGHT}H{_CHART_WIDTH}M0 {_AXIS}H{_CHART_WIDTH}"/>',
        f'<text x="0" y="{_AXIS - 4}">{most}</text>',
        f'<text x="0" y="{_CHART_HEIGHT + 14}">{history[0].date:%b %d}</text>',
        f'<text x="{_CHART_WIDTH}" y="{_CHART_HEIGHT + 14}" text-anchor="end">{history[-1].date:%b %d}</text>',
    ]
    return _svg("chart", f"0 0 {_CHART_WIDTH} {_CHART_HEIGHT + 20}", f"{label}, at most {most}", [*axis, *shapes])


def _svg(name: str, box: str, label: str, shapes: Sequence[str]) -> str:
    stretched = ' preserveAspectRatio="none"' if name == "bar" else ""
    head = f'<svg class="{name}" viewBox="{box}"{stretched} role="img" aria-label="{escape(label)}">'
    return f"{head}{''.join(shapes)}</svg>"
