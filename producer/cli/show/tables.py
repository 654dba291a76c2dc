"""Plain tables of aligned text.  Rich's tables would cost each list 50 ms at start."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def lines_of(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: str = "") -> Iterator[str]:
    """The table's lines.  ``right`` has one character per column; ``>`` aligns the column to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    right = right.ljust(len(header))
    for row in (header, *rows):
        cells = (
            cell.rjust(width) if side == ">" else cell.ljust(width)
            for cell, width, side in zip(row, widths, right, strict=True)
        )
        yield "  ".join(cells).rstrip()
