"""Draws the rooms of the code, and which room imports which, from the imports themselves: ``make drawing``.

Writes ``rooms.svg`` beside this file.  With ``--check``: exit code 1 if that file is stale.

Each arrow points down.  An import that follows from others is not drawn (A → C where A → B → C is drawn already), nor
are the imports of ``tasks``, which every room may use.  Raises graphlib.CycleError when rooms import in a ring.
"""

from __future__ import annotations

import ast
import itertools
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from graphlib import TopologicalSorter
from pathlib import Path
from statistics import fmean
from xml.sax.saxutils import escape

REPOSITORY = Path(__file__).resolve().parent.parent
DRAWING = REPOSITORY / "docs/rooms.svg"

#: Room → the rooms that it imports.
Graph = dict[str, set[str]]
#: A room on its floor, or a bend of an arrow that passes this floor: (from, to, floor).
Spot = str | tuple[str, str, int]

_BOX_WIDTH, _BOX_HEIGHT, _GAP, _FLOOR_HEIGHT, _BEND_WIDTH, _MARGIN = 106.0, 30.0, 20.0, 70.0, 16.0, 26.0
_SWEEPS_COUNT = 40

_STYLE = """
text { font: 14px system-ui, sans-serif; fill: #1f2328; text-anchor: middle }
.title { font-weight: 600; font-size: 15px; text-anchor: start }
.note { fill: #59636e; font-size: 13px }
.part { fill: #f6f8fa; stroke: #d1d9e0 }
.room { fill: #ffffff; stroke: #59636e }
.arrow { fill: none; stroke: #3b77b8; stroke-width: 1.3 }
.head { fill: #3b77b8 }
.paper { fill: #ffffff }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc }
.note { fill: #9198a1 }
.part { fill: #151b23; stroke: #3d444d }
.room { fill: #212830; stroke: #9198a1 }
.arrow { stroke: #6cb6ff }
.head { fill: #6cb6ff }
.paper { fill: #0d1117 }
}
"""


# ---- the imports


def rooms_of(package: str) -> Graph:
    """The rooms of one package: its folders, and the files beside them."""
    graph: Graph = defaultdict(set)
    for path in sorted((REPOSITORY / package).rglob("*.py")):
        room = _room(".".join(path.relative_to(REPOSITORY).with_suffix("").parts))
        if room in ("__init__", "__main__"):
            continue
        imported = {_room(module) for module in _imports(path) if module.startswith(f"{package}.")}
        graph[room] |= imported - {room, "__init__"}
    return dict(graph)


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _room(module: str) -> str:
    return module.split(".")[1]


def without_implied(graph: Graph) -> Graph:
    """Only the imports that do not follow from others."""
    below: Graph = {}
    for room in TopologicalSorter(graph).static_order():
        below[room] = graph[room].union(*(below[other] for other in graph[room]))
    return {
        room: {other for other in others if not any(other in below[third] for third in others)}
        for room, others in graph.items()
    }


# ---- the layout


def place(graph: Graph) -> tuple[dict[Spot, tuple[float, float]], float, float]:
    """Where the middle of each room and of each bend is; the width and the height of the whole."""
    floors = _ordered(_floors(graph), graph)
    lefts = _positions(floors, graph)
    width = max(x + _width(spot) / 2 for spot, x in lefts.items())
    places = {
        spot: (lefts[spot], (len(floors) - 1 - level) * _FLOOR_HEIGHT + _BOX_HEIGHT / 2)
        for level, floor in enumerate(floors)
        for spot in floor
    }
    return places, width, (len(floors) - 1) * _FLOOR_HEIGHT + _BOX_HEIGHT


def _levels(graph: Graph) -> dict[str, int]:
    levels: dict[str, int] = {}
    for room in TopologicalSorter(graph).static_order():
        levels[room] = max((levels[other] + 1 for other in graph[room]), default=0)
    return levels


def _floors(graph: Graph) -> list[list[Spot]]:
    """From the bottom up: rooms, and the bends of arrows that pass."""
    levels = _levels(graph)
    floors: list[list[Spot]] = [[] for _ in range(max(levels.values()) + 1)]
    for room in sorted(graph):
        floors[levels[room]].append(room)
        for spots in way(graph, room):
            for spot in spots[1:-1]:
                assert not isinstance(spot, str)
                floors[spot[2]].append(spot)
    return floors


def way(graph: Graph, room: str) -> Iterator[list[Spot]]:
    """For each arrow that leaves the room: the room, the bends, the other room."""
    levels = _levels(graph)
    for other in sorted(graph[room]):
        yield [room, *((room, other, level) for level in range(levels[room] - 1, levels[other], -1)), other]


def _neighbours(graph: Graph) -> Mapping[Spot, list[Spot]]:
    near: dict[Spot, list[Spot]] = defaultdict(list)
    for room in graph:
        for spots in way(graph, room):
            for upper, lower in itertools.pairwise(spots):
                near[upper].append(lower)
                near[lower].append(upper)
    return near


def _ordered(floors: list[list[Spot]], graph: Graph) -> list[list[Spot]]:
    """Each floor from left to right so that few arrows cross: again and again below the middle of the neighbours."""
    near = _neighbours(graph)
    best, least = floors, _crossings_count(floors, near)
    for sweep in range(_SWEEPS_COUNT):
        steps = range(1, len(floors)) if sweep % 2 else range(len(floors) - 2, -1, -1)
        for level in steps:
            fixed = {spot: n for n, spot in enumerate(floors[level - 1 if sweep % 2 else level + 1])}
            own = {spot: float(n) for n, spot in enumerate(floors[level])}
            middle = {spot: _mean([float(fixed[o]) for o in near[spot] if o in fixed], own[spot]) for spot in own}
            floors = [*floors[:level], sorted(own, key=lambda spot: middle[spot]), *floors[level + 1 :]]
        count = _crossings_count(floors, near)
        if count < least:
            best, least = floors, count
    return best


def _crossings_count(floors: Sequence[Sequence[Spot]], near: Mapping[Spot, list[Spot]]) -> int:
    count = 0
    for lower, upper in itertools.pairwise(floors):
        order = {spot: n for n, spot in enumerate(lower)}
        arrows = [(n, order[other]) for n, spot in enumerate(upper) for other in near[spot] if other in order]
        count += sum((a - c) * (b - d) < 0 for (a, b), (c, d) in itertools.combinations(arrows, 2))
    return count


def _positions(floors: Sequence[Sequence[Spot]], graph: Graph) -> dict[Spot, float]:
    """Below one's neighbours as nearly as the order and the gaps allow."""
    near = _neighbours(graph)
    x: dict[Spot, float] = {}
    for floor in floors:
        x |= _apart(floor, dict.fromkeys(floor, 0.0))
    for sweep in range(_SWEEPS_COUNT):
        for floor in floors if sweep % 2 else reversed(floors):
            x |= _apart(floor, {spot: _mean([x[other] for other in near[spot]], x[spot]) for spot in floor})
    left = min(middle - _width(spot) / 2 for spot, middle in x.items())
    return {spot: middle - left for spot, middle in x.items()}


def _apart(floor: Sequence[Spot], wanted: Mapping[Spot, float]) -> dict[Spot, float]:
    """Nobody overlaps: the mean of pushing to the right and of pushing to the left."""
    right: dict[Spot, float] = {}
    edge = float("-inf")
    for spot in floor:
        right[spot] = max(wanted[spot], edge + _width(spot) / 2)
        edge = right[spot] + _width(spot) / 2 + _GAP
    left: dict[Spot, float] = {}
    edge = float("inf")
    for spot in reversed(floor):
        left[spot] = min(wanted[spot], edge - _width(spot) / 2)
        edge = left[spot] - _width(spot) / 2 - _GAP
    return {spot: (right[spot] + left[spot]) / 2 for spot in floor}


def _width(spot: Spot) -> float:
    return _BOX_WIDTH if isinstance(spot, str) else _BEND_WIDTH


def _mean(values: Sequence[float], otherwise: float) -> float:
    return fmean(values) if values else otherwise


# ---- the drawing


def drawing() -> str:
    """The whole SVG."""
    parts = [_part(package) for package in ("producer", "workers")]
    height = max(part_height for _, _, part_height in parts)
    pieces, x = [], _MARGIN
    for svg, width, part_height in parts:
        middle = x + width / 2
        bottom = _MARGIN + height
        pieces.append(f'<g transform="translate({x:.0f} {bottom - part_height:.0f})">{svg}</g>')
        pieces.append(_arrow([(middle, bottom), (middle, bottom + 44)]))
        x += width + _MARGIN
    top = _MARGIN + height + 44
    pieces.append(_box(_MARGIN, top, x - 2 * _MARGIN, 40, "part"))
    pieces.append(_text(x / 2, top + 25, "tasks: what travels, and nothing else", "note"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {x:.0f} {top + 40 + _MARGIN:.0f}" role="img" '
        f'aria-label="The rooms of producer and workers; arrows are imports, and all point down">\n'
        f"<style>{_STYLE}</style>\n"
        '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path class="head" d="M0 0L8 4L0 8z"/></marker>\n'
        '<rect class="paper" width="100%" height="100%"/>\n' + "\n".join(pieces) + "\n</svg>\n"
    )


def _part(package: str) -> tuple[str, float, float]:
    """One package: its SVG, width and height."""
    graph = without_implied(rooms_of(package))
    places, inner_width, inner_height = place(graph)
    width, height = inner_width + 2 * _MARGIN, inner_height + 2 * _MARGIN + 24
    shift_x, shift_y = _MARGIN, _MARGIN + 24
    svg = [_box(0, 0, width, height, "part"), _text(16, 24, package, "title")]
    for room in sorted(graph):
        for spots in way(graph, room):
            # Straight through each floor on the way, so that no arrow passes behind a room.
            points = [
                (places[spot][0] + shift_x, places[spot][1] + shift_y + edge * _BOX_HEIGHT / 2)
                for spot in spots
                for edge in (-1, 1)
            ]
            svg.append(_arrow(points[1:-1]))
    for room in sorted(graph):
        x, y = places[room][0] + shift_x, places[room][1] + shift_y
        svg.append(_box(x - _BOX_WIDTH / 2, y - _BOX_HEIGHT / 2, _BOX_WIDTH, _BOX_HEIGHT, "room"))
        svg.append(_text(x, y + 5, room, ""))
    return "\n".join(svg), width, height


def _arrow(points: Sequence[tuple[float, float]]) -> str:
    x, y = points[0]
    path = [f"M{x:.1f} {y:.1f}"]
    for next_x, next_y in points[1:]:
        half = (y + next_y) / 2
        path.append(f"C{x:.1f} {half:.1f} {next_x:.1f} {half:.1f} {next_x:.1f} {next_y:.1f}")
        x, y = next_x, next_y
    return f'<path class="arrow" marker-end="url(#head)" d="{"".join(path)}"/>'


def _box(x: float, y: float, width: float, height: float, kind: str) -> str:
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="6"/>'


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'


def main(arguments: Sequence[str]) -> int:
    svg = drawing()
    if list(arguments) != ["--check"]:
        DRAWING.write_text(svg, encoding="utf-8")
        return 0
    if DRAWING.exists() and DRAWING.read_text(encoding="utf-8") == svg:
        return 0
    print("docs/rooms.svg does not show the imports of today; run: make drawing", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
