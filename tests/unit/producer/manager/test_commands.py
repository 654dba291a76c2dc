"""What the children of a manager learn from their environment."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from producer.host.behalf import RUN_VARIABLE
from producer.manager.commands import variables_of
from producer.manager.due import due_command


@pytest.mark.parametrize("name", ["schedule run-due", "forget", "prune", "rewrite"])
def test_a_command_that_may_begin_several_runs_has_them_take_ids_of_their_own(name: str) -> None:
    """Two runs of one id: the catalog would refuse the second one."""
    command = replace(due_command(), detached=False)

    assert variables_of(replace(command, command="backup"), "m")[RUN_VARIABLE] == command.run_id
    assert RUN_VARIABLE not in variables_of(replace(command, command=name), "m")
