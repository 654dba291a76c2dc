"""Figures as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from side_by_side.pairs import Runs, paired_ratio

OURS = "segfleet"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---", *("---:" for _ in header[1:])], *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |" for cells in lines)


def work_table(runs: Mapping[str, Runs], goals: Mapping[str, float]) -> str:
    """One work: times of all contenders, and segfleet's share of each one's time."""
    rows = []
    for name, found in runs.items():
        share = f"{paired_ratio(runs[OURS], found):.2f}" if OURS in runs and name != OURS else ""
        rows.append(
            [
                name,
                f"{found.median_s:.2f}",
                f"{found.least_s:.2f} to {found.most_s:.2f}",
                f"{found.median_cpu_s:.1f}",
                f"{found.stored_bytes / 1e6:.0f}",
                share,
                f"≤ {goals[name]:.2f}" if name in goals else "",
            ]
        )
    header = ["program", "median s", "min to max s", "CPU s", "stored MB", "segfleet's share of its time", "goal"]
    return table(header, rows)


def starts_table(runs: Mapping[str, Runs], goals_s: Mapping[str, float]) -> str:
    rows = [
        [name, f"{found.median_s:.2f}", f"{found.least_s:.2f} to {found.most_s:.2f}", f"≤ {goals_s[name]:.2f}"]
        for name, found in runs.items()
    ]
    return table(["segfleet …", "median s", "min to max s", "goal"], rows)
