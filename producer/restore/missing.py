"""Reports at the start of a restore what cannot be restored: it was never stored, or its devices are not there."""

from __future__ import annotations

from producer.restore.outcome.outcome import Outcome
from producer.restore.planning.plan import RestorePlan


def tell_what_was_not_stored(plan: RestorePlan, outcome: Outcome) -> None:
    for path, holes in plan.not_stored().items():
        for hole in holes:
            outcome.lose(path, hole.offset_bytes, hole.size_bytes, "not-stored", hole.why)
    for path, why in plan.untaken():
        outcome.tell(path, "not-stored", f"the backup could not store it, nor what is in it: {why}")


def tell_what_is_absent(plan: RestorePlan, outcome: Outcome) -> None:
    """Report what lies on devices that are not there."""
    for pick, why, device in plan.out_of_reach():
        outcome.lose(pick.path, pick.offset_bytes, pick.size_bytes, "device-absent", why, device=device)


def leave_out_what_is_absent(plan: RestorePlan, outcome: Outcome, *, skip_damaged: bool) -> None:
    """Report it, and leave it out of the plan.

    A pieced file that lacks a piece is not restored at all, unless ``skip_damaged``.
    """
    lost: set[int] = set()
    for pick, why, device in plan.out_of_reach():
        outcome.lose(pick.path, pick.offset_bytes, pick.size_bytes, "device-absent", why, device=device)
        if not (skip_damaged and pick.entry in plan.wanted.pieced):
            lost.add(pick.entry)
            outcome.not_restored.add(pick.path)
    plan.left_out |= lost
