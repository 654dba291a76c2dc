"""Real processes, real file systems, and a machine of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kit.machine import Machine
from kit.machine import machine as new_machine


@pytest.fixture
def machine() -> Iterator[Machine]:
    with new_machine() as made:
        yield made
