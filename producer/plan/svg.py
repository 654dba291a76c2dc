"""A plan as a picture: one row for each device, one box for each segment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from xml.sax.saxutils import escape

from msgspec import Struct

from producer.configuration.values.sizes import format_size
from producer.plan.describe import Item, PlanDescription, describe
from producer.plan.plan import Plan

#: Hues that people with any colour vision can tell apart, after Paul Tol's "muted" scheme.
_FILE_COLOURS = ("#332288", "#cc6677", "#ddcc77", "#117733", "#88ccee", "#882255", "#44aa99", "#999933", "#aa4499")
_OTHER_FILES_COLOUR = "#8c96a3"
_BUNDLE_COLOUR = "#c9d3df"
_TEXT, _FAINT, _THRESHOLD = "#1f2933", "#616e7c", "#d64545"

_WIDTH = 1280
_MARGIN = 32
_LABEL_WIDTH = 150
_NUMBERS_WIDTH = 210
_TOP = 124
_ROWS_HEIGHT = 560
_MIN_ROW_HEIGHT, _MAX_ROW_HEIGHT = 14, 56
_LEGEND_LINE = 24
#: Segments narrower than this share a box, so that a million of them still fit into a picture.
_MIN_BOX_WIDTH = 2.0
_TICKS_COUNT = 5


class _Frame(Struct, frozen=True, kw_only=True):
    """Where the rows are, in pixels, and how many pixels a byte is wide."""

    pixels_per_byte: float
    row_height: int
    rows_count: int

    left = _MARGIN + _LABEL_WIDTH
    right = _WIDTH - _MARGIN - _NUMBERS_WIDTH

    @property
    def bottom(self) -> int:
        return _TOP + self.rows_count * self.row_height

    def x(self, size_bytes: float) -> float:
        return self.left + size_bytes * self.pixels_per_byte


class _Box(Struct):
    start_bytes: int
    stop_bytes: int
    colour: str
    segments_count: int = 1


def draw_svg(plan: Plan, path_of: Callable[[int], str], *, title: str = "Backup plan") -> str:
    """The picture as SVG text.  ``path_of`` returns the path of an entry; it is called for the largest files only."""
    description = describe(plan, largest_count=4 * len(_FILE_COLOURS))
    files = [item for item in description.largest if item.files_count == 1][: len(_FILE_COLOURS)]
    colours = {item.first_entry: colour for item, colour in zip(files, _FILE_COLOURS, strict=False)}
    frame = _frame(description)
    legend_top = frame.bottom + 72
    height = legend_top + _LEGEND_LINE * (len(files) // 2 + 3)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        f'font-family="Inter, Helvetica, Arial, sans-serif" font-size="14">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        *_heading(description, title),
        *_axis(frame, description),
        *_rows(plan, frame, description, colours),
        *_threshold_line(frame, description),
        *_legend(legend_top, plan, files, path_of),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _frame(description: PlanDescription) -> _Frame:
    rows_count = len(description.devices)
    widest_bytes = max(description.threshold_bytes, description.largest_load_bytes, 1)
    return _Frame(
        pixels_per_byte=(_Frame.right - _Frame.left) / widest_bytes,
        row_height=max(_MIN_ROW_HEIGHT, min(_MAX_ROW_HEIGHT, _ROWS_HEIGHT // rows_count)),
        rows_count=rows_count,
    )


def _heading(description: PlanDescription, title: str) -> Iterator[str]:
    what = (
        f"{format_size(description.bytes_source)} in {description.files_count:,} files on "
        f"{len(description.devices)} devices: threshold {format_size(description.threshold_bytes)}, "
        f"{description.segments_count:,} segments, spread {description.spread * 100:.2f} %"
    )
    yield _text(_MARGIN, 48, title, size=24, weight="bold")
    yield _text(_MARGIN, 76, what, colour=_FAINT, size=15)


def _axis(frame: _Frame, description: PlanDescription) -> Iterator[str]:
    widest_bytes = (frame.right - frame.left) / frame.pixels_per_byte
    step_bytes = _round_step(widest_bytes / _TICKS_COUNT)
    for number in range(int(widest_bytes / step_bytes) + 1):
        x = frame.x(number * step_bytes)
        yield f'<path d="M{x:.1f} {_TOP}V{frame.bottom + 6}" stroke="#e4e7eb"/>'
        yield _text(x, frame.bottom + 24, format_size(number * step_bytes), colour=_FAINT, size=12, anchor="middle")


def _round_step(size_bytes: float) -> int:
    """The next power of two that is not smaller: a round number in KiB, MiB and GiB too."""
    step_bytes = 1
    while step_bytes < size_bytes:
        step_bytes *= 2
    return step_bytes


def _rows(plan: Plan, frame: _Frame, description: PlanDescription, colours: dict[int, str]) -> Iterator[str]:
    gap = 2 if frame.row_height < 24 else frame.row_height // 6
    box_height = frame.row_height - gap
    text_size = min(14, frame.row_height - 2)
    for device, boxes in enumerate(_boxes(plan, colours, _MIN_BOX_WIDTH / frame.pixels_per_byte)):
        share = description.devices[device]
        top = _TOP + device * frame.row_height + gap / 2
        baseline = top + box_height / 2 + text_size * 0.36
        yield _text(frame.left - 12, baseline, _shortened(share.device, 18), size=text_size, anchor="end")
        for box in boxes:
            yield _box(box, frame, top, box_height)
        numbers = f"{format_size(share.bytes_source)}   {share.share * 100:.1f} %   {share.segments_count:,} seg."
        yield _text(frame.right + 16, baseline, numbers, colour=_FAINT, size=text_size)


def _boxes(plan: Plan, colours: dict[int, str], min_bytes: float) -> list[list[_Box]]:
    """The boxes of each device, from left to right in the order of placement."""
    rows: list[list[_Box]] = [[] for _ in plan.rooms]
    columns = zip(plan.devices, plan.first_entries, plan.files_counts, plan.sizes_bytes, strict=True)
    for device, entry, files_count, size_bytes in columns:
        row = rows[device]
        colour = _BUNDLE_COLOUR if files_count > 1 else colours.get(entry, _OTHER_FILES_COLOUR)
        last = row[-1] if row else _Box(0, 0, colour)
        if row and size_bytes < min_bytes and last.stop_bytes - last.start_bytes < 2 * min_bytes:
            last.stop_bytes += size_bytes
            last.segments_count += 1
        else:
            row.append(_Box(last.stop_bytes, last.stop_bytes + size_bytes, colour))
    return rows


def _box(box: _Box, frame: _Frame, top: float, height: int) -> str:
    x, width = frame.x(box.start_bytes), (box.stop_bytes - box.start_bytes) * frame.pixels_per_byte
    # A gap between boxes separates segments; boxes of a few pixels have no room for it.
    drawn = width - 1 if width >= 4 else max(width - 0.3, 0.3)
    name = f"{box.segments_count} segments, " if box.segments_count > 1 else ""
    tip = f"<title>{name}{format_size(box.stop_bytes - box.start_bytes)}</title>"
    return f'<rect x="{x:.2f}" y="{top:g}" width="{drawn:.2f}" height="{height}" fill="{box.colour}">{tip}</rect>'


def _threshold_line(frame: _Frame, description: PlanDescription) -> Iterator[str]:
    x = frame.x(description.threshold_bytes)
    label = f"threshold {format_size(description.threshold_bytes)}"
    yield (
        f'<path d="M{x:.1f} {_TOP - 8}V{frame.bottom + 6}" stroke="{_THRESHOLD}" stroke-width="1.5" '
        f'stroke-dasharray="5 4"/>'
    )
    yield _text(x, _TOP - 14, label, colour=_THRESHOLD, size=13, anchor="end" if x > frame.left + 150 else "start")


def _legend(top: int, plan: Plan, files: list[Item], path_of: Callable[[int], str]) -> Iterator[str]:
    bundles_count = sum(files_count > 1 for files_count in plan.files_counts)
    entries = [
        (colour, f"{_shortened(path_of(item.first_entry), 48)}  {format_size(item.size_bytes)}")
        for item, colour in zip(files, _FILE_COLOURS, strict=False)
    ]
    shown = {item.first_entry for item in files}
    if any(
        count == 1 and entry not in shown for entry, count in zip(plan.first_entries, plan.files_counts, strict=True)
    ):
        entries.append((_OTHER_FILES_COLOUR, "other files"))
    if bundles_count:
        entries.append((_BUNDLE_COLOUR, f"bundles of small files ({bundles_count:,})"))
    column_width = (_WIDTH - 2 * _MARGIN) // 2
    for number, (colour, label) in enumerate(entries):
        x, y = _MARGIN + number % 2 * column_width, top + number // 2 * _LEGEND_LINE
        yield f'<rect x="{x}" y="{y - 12}" width="14" height="14" rx="2" fill="{colour}"/>'
        yield _text(x + 24, y, label)


def _shortened(text: str, length: int) -> str:
    """At most ``length`` characters without the middle: the ends of a path say the most."""
    if len(text) <= length:
        return text
    head = (length - 1) // 3
    return f"{text[:head]}…{text[head + 1 - length :]}"


def _text(
    x: float, y: float, text: str, *, colour: str = _TEXT, size: int = 14, anchor: str = "start", weight: str = "normal"
) -> str:
    printable = "".join(character if character.isprintable() else "\ufffd" for character in text)
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" font-size="{size}" font-weight="{weight}" '
        f'text-anchor="{anchor}" xml:space="preserve">{escape(printable)}</text>'
    )
