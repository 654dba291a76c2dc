"""The versions that segfleet was measured with.

An extra that a release has dropped makes pip fall back, in silence, to an old Celery.
"""

from __future__ import annotations

from importlib.metadata import requires, version

import celery
import kombu
import pytest
import redis
from packaging.requirements import Requirement

RUNTIME = [Requirement(text) for text in requires("segfleet") or () if "extra ==" not in text]


def test_celery_and_kombu_are_5_7() -> None:
    assert celery.__version__.startswith("5.7.")
    assert kombu.__version__.startswith("5.7.")


def test_the_redis_client_is_one_that_kombu_takes() -> None:
    assert int(redis.__version__.split(".")[0]) >= 6


@pytest.mark.parametrize("requirement", RUNTIME, ids=lambda requirement: requirement.name)
def test_every_dependency_is_bounded_on_both_sides_and_met(requirement: Requirement) -> None:
    operators = {specifier.operator for specifier in requirement.specifier}
    assert operators == {">=", "<"}
    if requirement.marker is None or requirement.marker.evaluate():
        assert requirement.specifier.contains(version(requirement.name), prereleases=True)
