"""The problems that people are told of when nobody runs a command: devices and overdue volumes.  Pure."""

from __future__ import annotations

from collections.abc import Iterator

from producer.host.safe_text import escaped
from producer.monitor.survey import Survey
from producer.monitor.verdict import Problem
from producer.notify.changes import Condition

TOPICS = ("device", "overdue")


def conditions(found: Survey) -> Iterator[Condition]:
    """One for each device and volume; its state changes with the kind of trouble, not with the passing of time."""
    states = {row.name: row.state for row in reversed(found.devices)}
    for problem in found.verdict.problems:
        name = escaped(problem.subject)
        if problem.kind == "device":
            yield _condition(problem, f"device {name}", states.get(problem.subject, ""))
        elif problem.kind == "overdue":
            yield _condition(problem, f"overdue {name}", "overdue")


def _condition(problem: Problem, key: str, state: str) -> Condition:
    return Condition(
        key=key,
        state=state,
        topic="device" if problem.kind == "device" else "overdue",
        title=f"{key} is {state}" if problem.kind == "device" else f"volume {escaped(problem.subject)} is overdue",
        body=f"{escaped(problem.reason)}\n\n{escaped(problem.remedy)}",
    )
