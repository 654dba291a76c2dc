"""For which manager a command runs; the manager says so in variables of the child's environment."""

from __future__ import annotations

import os
import shutil
import sys

#: The manager's name, and the run's id where the command is one run.
MANAGER_VARIABLE = "SEGFLEET_ON_BEHALF_OF"
RUN_VARIABLE = "SEGFLEET_RUN_ID"

#: Instead of a manager's name: this process itself.
HERE = "local"

_TERMINAL_VARIABLE = "SEGFLEET_TERMINAL"


def terminal_variables(columns: int) -> dict[str, str]:
    """Variables for a child whose output a master shows on a terminal of this width; none for 0."""
    return {_TERMINAL_VARIABLE: "1", "COLUMNS": str(columns)} if columns else {}


def is_for_terminal() -> bool:
    """Whether standard output is shown on a terminal, here or at a master."""
    return sys.stdout.isatty() or os.environ.get(_TERMINAL_VARIABLE) == "1"


def terminal_width() -> int | None:
    """The width of the terminal that shows standard output, here or at a master; None without one."""
    return shutil.get_terminal_size().columns if is_for_terminal() else None
