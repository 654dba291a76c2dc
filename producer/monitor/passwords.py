"""Who may look at a page: ``user:password`` from the environment, several separated by commas."""

from __future__ import annotations

import os

from producer.configuration.secrets import secret
from tasks.errors import UsageError


def users_of(variable: str) -> dict[str, str]:
    """User → password; raises UsageError unless ``variable``, or the file of ``<variable>_FILE``, names somebody."""
    pairs = [pair.partition(":") for pair in (secret(variable, os.environ) or "").split(",")]
    if not all(name and separator and password for name, separator, password in pairs):
        raise UsageError(
            f"{variable} does not say who may look at the page",
            hint=f"set {variable}=user:password in the environment; several are separated by commas",
        )
    return {name: password for name, _, password in pairs}
