"""What a seed of ``benchmarks/chaos --fleet`` stands for."""

from __future__ import annotations

from fleet_disorder.scenario import Plan
from fleet_disorder.site import HOSTS
from fleet_disorder.troubles import TROUBLES

PLANS = [Plan.of(f"fleet-{number}") for number in range(300)]


def test_a_plan_is_made_wholly_from_its_seed() -> None:
    assert [Plan.of(f"fleet-{number}") for number in range(300)] == PLANS


def test_every_trouble_hits_every_host_that_it_may_hit() -> None:
    planned = {(trouble.name, trouble.host) for plan in PLANS for trouble in plan.troubles}
    assert planned == {(name, host) for name, (_, hosts) in TROUBLES.items() for host in hosts}
    assert {host for _, host in planned} < set(HOSTS)
