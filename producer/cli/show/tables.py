"""Plain tables of aligned text.  Rich's tables would cost each list 50 ms at start."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

_GAP = "  "
_CUT = "…"

#: What a column that is cut keeps, first; then, where all columns that may be cut are, and at last all texts.
_LEAST, _VERY_LEAST = 12, 6


def lines_of(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: str = "",
    seldom: Sequence[str] = (),
    width: int | None = None,
) -> Iterator[str]:
    """The table's lines.

    ``right`` has one character per column: ``>`` aligns it to the right and never cuts it, ``=`` cuts it only when
    nothing else is left to cut.

    Where ``width`` is too narrow, columns without any text are left out, then those that are needed ``seldom``, in
    this order; then texts are cut, the last first.  None: any width.
    """
    table = [list(header), *map(list, rows)]
    sides = list(right.ljust(len(header)))
    if width is not None:
        _leave_out(table, sides, _unneeded(table, seldom, width))
    widths = _widths(table)
    if width is not None:
        for kind, least in ((" ", _LEAST), ("=", _LEAST), (" ", _VERY_LEAST)):
            _cut_last_texts(table, [side == kind for side in sides], widths, width, least)
    for row in table:
        cells = (
            cell.rjust(wide) if side == ">" else cell.ljust(wide)
            for cell, wide, side in zip(row, widths, sides, strict=True)
        )
        yield _GAP.join(cells).rstrip()


def _unneeded(table: list[list[str]], seldom: Sequence[str], width: int) -> set[int]:
    """The columns to leave out, so that the others fit if possible."""
    header, widths = table[0], _widths(table)
    seldom = [name for name in seldom if name in header]
    empty = [name for name in seldom if not any(row[header.index(name)] for row in table[1:])]
    left_out: set[int] = set()
    for name in [*empty, *(name for name in seldom if name not in empty)]:
        if _total(wide for index, wide in enumerate(widths) if index not in left_out) <= width:
            break
        left_out.add(header.index(name))
    return left_out


def _leave_out(table: list[list[str]], sides: list[str], columns: Collection[int]) -> None:
    for row in (*table, sides):
        row[:] = [cell for index, cell in enumerate(row) if index not in columns]


def _cut_last_texts(table: list[list[str]], may: Sequence[bool], widths: list[int], width: int, least: int) -> None:
    """Shorten the columns that may be, from the last on, to ``least`` and their headers: numbers stay whole."""
    for index in reversed(range(len(widths))):
        excess = _total(widths) - width
        if excess <= 0:
            return
        kept = max(len(table[0][index]), min(least, widths[index]))
        if may[index] and widths[index] > kept:
            widths[index] = max(widths[index] - excess, kept)
            for row in table:
                if len(row[index]) > widths[index]:
                    row[index] = row[index][: widths[index] - len(_CUT)] + _CUT


def _widths(table: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*table, strict=True)]


def _total(widths: Iterator[int] | Sequence[int]) -> int:
    widths = list(widths)
    return sum(widths) + len(_GAP) * (len(widths) - 1)
