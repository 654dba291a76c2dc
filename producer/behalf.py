"""How a manager tells a command that it carries out whose it is: variables of the child's environment."""

from __future__ import annotations

#: The manager's name, and the run's id.
MANAGER_VARIABLE = "SEGFLEET_ON_BEHALF_OF"
RUN_VARIABLE = "SEGFLEET_RUN_ID"
