"""Figures of a release, kept as ratios to the bare loop: times of another machine, or another day, say nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from side_by_side.pairs import Runs, paired_ratio

RESULTS = Path(__file__).resolve().parents[1] / "results"

#: A warning is printed for what is slower than the last release by more than this, in ratios.
WARN_SHARE = 0.15


def ratios(works: Mapping[str, Mapping[str, Runs]]) -> dict[str, float]:
    """Work → segfleet's time as a multiple of the bare loop's."""
    return {
        key: round(paired_ratio(runs["segfleet"], runs["bare loop"]), 3)
        for key, runs in works.items()
        if {"segfleet", "bare loop"} <= runs.keys()
    }


def keep(version: str, kind: str, works: Mapping[str, Mapping[str, Runs]]) -> Path:
    """Write the ratios of ``version`` for later comparisons; ``kind``: quick or full."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{version}-{kind}.json"
    path.write_text(json.dumps({"version": version, "ratios_to_bare_loop": ratios(works)}, indent=2) + "\n")
    return path


def last_kept(kind: str) -> dict[str, float]:
    """The ratios of the last release that kept any; empty when none did."""
    found = sorted(RESULTS.glob(f"*-{kind}.json"), key=lambda path: [*map(_number, path.name.split("-")[0].split("."))])
    return dict(json.loads(found[-1].read_text())["ratios_to_bare_loop"]) if found else {}


def regressions(now: Mapping[str, float], before: Mapping[str, float]) -> list[str]:
    """A line for each work that has become more than WARN_SHARE slower against the bare loop."""
    return [
        f"{key}: {now[key]:.2f} times the bare loop; the last release took {ratio:.2f} times"
        for key, ratio in before.items()
        if key in now and now[key] > ratio * (1 + WARN_SHARE)
    ]


def _number(text: str) -> int:
    return int("".join(filter(str.isdigit, text)) or 0)
