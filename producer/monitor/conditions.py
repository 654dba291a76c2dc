"""The problems that people learn of when nobody runs a command: devices, schedules, what a check found.  Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from producer.host.safe_text import escaped
from producer.monitor.survey import Survey
from producer.monitor.verdict import Problem
from producer.notify.changes import Condition
from producer.notify.settings import Topic

#: The first words of the keys of these conditions.
KINDS = ("device", "overdue", "upkeep", "damage")


def conditions(found: Survey) -> Iterator[Condition]:
    """One for each thing in trouble; its state changes with the kind of trouble, not with the passing of time."""
    states = {row.name: row.state for row in reversed(found.devices)}
    return filter(None, (_condition(problem, states) for problem in found.verdict.problems))


def _condition(problem: Problem, states: Mapping[str, str]) -> Condition | None:
    """``states``: of the devices.  None for what people learn in another way, or need not know."""
    name = escaped(problem.subject)
    match problem.kind:
        case "device":
            state = states.get(problem.subject, "")
            return _of(problem, f"device {name}", state, "device", f"device {name} is {state}")
        case "overdue":
            return _of(problem, f"overdue {name}", "overdue", "overdue", f"volume {name} is overdue")
        case "upkeep-overdue":
            return _of(problem, f"upkeep {name}", "overdue", "overdue", f"the scheduled {name} is overdue")
        case "upkeep-failed":
            return _of(problem, f"upkeep {name}", "failed", "failed", f"the scheduled {name} failed")
        case "damaged":
            return _of(problem, "damage", "found", "damaged", "the last check found errors")
    return None


def _of(problem: Problem, key: str, state: str, topic: Topic, title: str) -> Condition:
    body = f"{escaped(problem.reason)}\n\n{escaped(problem.remedy)}"
    return Condition(key=key, state=state, topic=topic, title=title, body=body)
