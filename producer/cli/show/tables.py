"""Plain tables: columns of text, aligned.  Rich's would cost the lists 50 ms of start-up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def lines_of(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: str = "") -> Iterator[str]:
    """The table's lines.  ``right`` holds one character for each column; ``>`` aligns it to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    right = right.ljust(len(header))
    for row in (header, *rows):
        cells = (
            cell.rjust(width) if side == ">" else cell.ljust(width)
            for cell, width, side in zip(row, widths, right, strict=True)
        )
        yield "  ".join(cells).rstrip()
