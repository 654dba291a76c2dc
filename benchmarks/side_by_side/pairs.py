"""Rounds of runs: each round runs every contender once, so that whatever else the machine does meets all alike."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from side_by_side.measuring import Cost


@dataclass(kw_only=True, slots=True)
class Runs:
    """What one contender's runs of one work cost."""

    costs: list[Cost] = field(default_factory=list)
    #: Bytes that its last backup takes on the disk; 0 where that says nothing.
    stored_bytes: int = 0

    @property
    def median_s(self) -> float:
        return statistics.median(cost.wall_s for cost in self.costs)

    @property
    def least_s(self) -> float:
        return min(cost.wall_s for cost in self.costs)

    @property
    def most_s(self) -> float:
        return max(cost.wall_s for cost in self.costs)

    @property
    def median_cpu_s(self) -> float:
        return statistics.median(cost.cpu_s for cost in self.costs)


def interleaved(
    contenders: Mapping[str, Callable[[], Cost]], rounds_count: int, *, note: Callable[[str], None]
) -> dict[str, Runs]:
    """Run each contender once a round; the order turns, so that none always follows the same other."""
    runs = {name: Runs() for name in contenders}
    names = list(contenders)
    for number in range(rounds_count):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            runs[name].costs.append(contenders[name]())
        note(f"round {number + 1}: " + ", ".join(f"{name} {runs[name].costs[-1].wall_s:.2f} s" for name in names))
    return runs


def paired_ratio(ours: Runs, theirs: Runs) -> float:
    """The median, over the rounds, of our time as a share of theirs in the same round."""
    return statistics.median(our.wall_s / their.wall_s for our, their in zip(ours.costs, theirs.costs, strict=True))
