"""Which bytes go to which device, as pure functions: same input, same plan.

The steps: :mod:`~producer.plan.threshold` computes the threshold, :mod:`~producer.plan.bundles` and
:mod:`~producer.plan.pieces` make segments of the files, :mod:`~producer.plan.placement` assigns each to the then
least-filled device; :mod:`~producer.plan.remaining` cuts large files to the space that is left.
:mod:`~producer.plan.rooms` knows what a device can take.  ``docs/plan.md`` has reasons, bounds and measurements.
"""

from producer.plan.plan import Plan, PlannedSegment, PlanRequest, make_plan
from producer.plan.rooms import DeviceRoom, expected_ratio, reserve_bytes

__all__ = ["DeviceRoom", "Plan", "PlanRequest", "PlannedSegment", "expected_ratio", "make_plan", "reserve_bytes"]
