"""The locks of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.models.offline import Recorded
from producer.host.state import StateFolder
from producer.run.environment import Environment
from producer.run.locks import locked, owner_of_locks
from tasks.errors import LockedError


def test_a_run_holds_its_lock_until_it_ends_and_no_other_run_gets_it_meanwhile(tmp_path: Path) -> None:
    environment = Environment(state=StateFolder(path=tmp_path))
    with (
        locked("prune", "prune", Recorded(), environment) as holder,
        pytest.raises(LockedError, match="prune is in use by prune"),
        locked("prune", "retire", Recorded(), environment),
    ):
        raise AssertionError("two runs hold one lock")
    with owner_of_locks(Recorded(), environment) as later:
        assert later.owner_id != holder.owner_id and later.catalog.locks.all() == []
