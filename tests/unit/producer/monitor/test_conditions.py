"""Of which problems people are told, and by which words."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from producer.monitor.conditions import KINDS, conditions
from producer.monitor.survey import Survey
from producer.monitor.verdict import Problem, ProblemKind, Verdict


def told(*problems: Problem) -> list[tuple[str, str, str, str]]:
    values: dict[str, Any] = dict.fromkeys(Survey.__struct_fields__, ())
    found = Survey(**{**values, "verdict": Verdict(colour="red", sentence="", problems=problems)})
    return [(one.key, one.state, one.topic, one.title) for one in conditions(found)]


def problem(kind: ProblemKind, subject: str = "") -> Problem:
    return Problem(kind=kind, colour="red", subject=subject, reason="it is", remedy="segfleet check")


def test_an_overdue_check_is_no_volume() -> None:
    assert told(problem("upkeep-overdue", "check"), problem("upkeep-overdue", "prune"), problem("overdue", "home")) == [
        ("upkeep check", "overdue", "overdue", "the scheduled check is overdue"),
        ("upkeep prune", "overdue", "overdue", "the scheduled prune is overdue"),
        ("overdue home", "overdue", "overdue", "volume home is overdue"),
    ]


def test_what_a_check_found_and_an_upkeep_that_failed_are_told() -> None:
    assert told(problem("upkeep-failed", "prune"), problem("damaged")) == [
        ("upkeep prune", "failed", "failed", "the scheduled prune failed"),
        ("damage", "found", "damaged", "the last check found errors"),
    ]


def test_what_the_backup_itself_has_told_is_not_told_again() -> None:
    assert told(problem("failed", "home"), problem("partial", "home"), problem("unchecked")) == []


def test_each_condition_is_of_a_kind_that_can_recover() -> None:
    kinds: tuple[ProblemKind, ...] = ("device", "overdue", "upkeep-failed", "upkeep-overdue", "damaged")
    one = problem("device", "x")
    keys = [found[0].partition(" ")[0] for kind in kinds for found in told(replace(one, kind=kind))]
    assert len(keys) == len(kinds) and set(keys) == set(KINDS)
