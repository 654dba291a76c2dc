"""The figures of the benchmarks: ratios round by round, tables, and what has become slower since the last release."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
from side_by_side import results
from side_by_side.chart import chart
from side_by_side.measuring import Cost
from side_by_side.pairs import Runs, interleaved, paired_ratio
from side_by_side.tables import starts_table, table, work_table


def runs(*wall_s: float, stored_bytes: int = 0) -> Runs:
    return Runs(costs=[Cost(wall_s=seconds, cpu_s=2 * seconds) for seconds in wall_s], stored_bytes=stored_bytes)


# ---- rounds


def test_each_contender_runs_once_a_round_and_the_order_turns() -> None:
    order: list[str] = []

    def contender(name: str) -> Cost:
        order.append(name)
        return Cost(wall_s=1.0, cpu_s=1.0)

    found = interleaved({name: partial(contender, name) for name in "abc"}, 4, note=lambda _line: None)
    assert "".join(order) == "abcbcacababc"
    assert {name: len(each.costs) for name, each in found.items()} == {"a": 4, "b": 4, "c": 4}


def test_each_round_is_told_in_the_order_of_the_contenders() -> None:
    told: list[str] = []
    interleaved({"a": lambda: Cost(wall_s=1.5, cpu_s=1), "b": lambda: Cost(wall_s=2, cpu_s=1)}, 2, note=told.append)
    assert told == ["round 1: a 1.50 s, b 2.00 s", "round 2: a 1.50 s, b 2.00 s"]


def test_a_ratio_is_the_median_of_the_rounds_and_not_that_of_the_medians() -> None:
    ours, theirs = runs(1, 8, 9), runs(4, 2, 3)
    assert paired_ratio(ours, theirs) == 3.0 != ours.median_s / theirs.median_s


def test_a_slow_moment_of_the_machine_meets_both_and_changes_no_ratio() -> None:
    assert paired_ratio(runs(1, 1, 10, 1), runs(2, 2, 20, 2)) == 0.5


def test_rounds_that_do_not_pair_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        paired_ratio(runs(1, 2), runs(1))


# ---- tables


def test_a_table_is_markdown_and_keeps_the_bars_in_names() -> None:
    assert table(["program", "s"], [["tar | zstd", "1"]]) == "\n".join(
        ["| program | s |", "| --- | ---: |", r"| tar \| zstd | 1 |"]
    )


def test_the_table_of_a_work_has_a_share_of_each_other_and_the_goals_that_there_are() -> None:
    found = {"segfleet": runs(1, 3, 2, stored_bytes=5_000_000), "zstd": runs(2, 6, 4), "Borg": runs(8, 8, 8)}
    rows = work_table(found, {"zstd": 0.6}).splitlines()[2:]
    assert rows == [
        "| segfleet | 2.00 | 1.00 to 3.00 | 4.0 | 5 |  |  |",
        "| zstd | 4.00 | 2.00 to 6.00 | 8.0 | 0 | 0.50 | ≤ 0.60 |",
        "| Borg | 8.00 | 8.00 to 8.00 | 16.0 | 0 | 0.25 |  |",
    ]


def test_a_work_without_segfleet_has_no_shares() -> None:
    assert work_table({"zstd": runs(2)}, {}).splitlines()[2:] == ["| zstd | 2.00 | 2.00 to 2.00 | 4.0 | 0 |  |  |"]


def test_the_table_of_starts_has_a_goal_for_each() -> None:
    rows = starts_table({"ls": runs(0.3, 0.1, 0.2)}, {"ls": 0.25}).splitlines()[2:]
    assert rows == ["| ls | 0.20 | 0.10 to 0.30 | ≤ 0.25 |"]


def test_a_chart_has_a_bar_for_each_contender_and_escapes_names() -> None:
    drawn = chart({"a <tree>": {"segfleet": runs(1), "zstd & tar": runs(2, 4)}}, "two cores")
    assert "a &lt;tree&gt;" in drawn
    assert "zstd &amp; tar" in drawn
    assert [drawn.count(f"{seconds} s</text>") for seconds in ("1.00", "3.00")] == [1, 1]


# ---- releases

WORKS = {
    "large": {"segfleet": runs(1.2, 1.1, 1.3), "bare loop": runs(1, 1, 1), "Borg": runs(9, 9, 9)},
    "restore": {"segfleet": runs(1), "Borg": runs(9)},
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results")
    return tmp_path / "results"


def test_ratios_are_to_the_bare_loop_where_it_ran() -> None:
    assert results.ratios(WORKS) == {"large": 1.2}


def test_what_a_release_keeps_is_found_again(folder: Path) -> None:
    path = results.keep("0.1.0", "quick", WORKS)
    assert path.parent == folder
    assert json.loads(path.read_text())["version"] == "0.1.0"
    assert results.last_kept("quick") == {"large": 1.2}
    assert results.last_kept("full") == {}


def test_the_last_release_is_that_with_the_greatest_number(folder: Path) -> None:
    for version, seconds in (("0.9.0", 9.0), ("0.10.0", 10.0), ("0.2.1", 2.0)):
        results.keep(version, "quick", {"large": {"segfleet": runs(seconds), "bare loop": runs(1)}})
    assert results.last_kept("quick") == {"large": 10.0}


def test_without_a_release_nothing_is_slower(folder: Path) -> None:
    assert results.regressions({"large": 2.0}, results.last_kept("quick")) == []


@pytest.mark.parametrize(("now", "is_told"), [(1.0, False), (1.14, False), (1.16, True), (0.5, False)])
def test_more_than_15_per_cent_slower_is_told(now: float, is_told: bool) -> None:
    assert bool(results.regressions({"large": now}, {"large": 1.0})) == is_told


def test_a_work_that_only_one_of_both_has_is_passed_over() -> None:
    assert results.regressions({"new": 5.0, "large": 1.3}, {"large": 1.0, "old": 1.0}) == [
        "large: 1.30 times the bare loop; the last release took 1.00 times"
    ]
