"""Everything here goes through the command ``segfleet``, with real servers and real worker processes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kit.program.machine import Machine
from kit.program.machine import machine as new_machine


@pytest.fixture(scope="module")
def shared_machine() -> Iterator[Machine]:
    """One for all tests of a file; they must not change what the others read."""
    with new_machine() as made:
        yield made
