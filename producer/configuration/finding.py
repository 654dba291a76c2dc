"""Where the configuration file is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from platformdirs import user_config_path

from producer.configuration.homes import from_home
from tasks.errors import UsageError

CONFIG_VARIABLE = "SEGFLEET_CONFIG"
FILE_NAME = "segfleet.toml"
SYSTEM_FOLDER = Path("/etc/segfleet")


def find_configuration(flag: str | None, environment: Mapping[str, str], folder: Path | None) -> Path | None:
    """The file to read: ``flag``, else ``$SEGFLEET_CONFIG``, else ``folder``'s, else the user's, else the system's.

    None if there is none, and ``folder`` is None if the working folder cannot be entered.

    A file named by flag or variable is returned even if it does not exist; raises UsageError if it starts with the home
    folder of an unknown user.
    """
    asked = flag or environment.get(CONFIG_VARIABLE)
    if asked:
        return _asked_for(asked, "--config" if flag else CONFIG_VARIABLE)
    folders = (folder, user_config_path("segfleet"), SYSTEM_FOLDER)
    candidates = (place / FILE_NAME for place in folders if place is not None)
    return next((path for path in candidates if _is_file(path)), None)


def _is_file(path: Path) -> bool:
    """False too in a folder that may not be entered."""
    try:
        return path.is_file()
    except OSError:
        return False


def _asked_for(asked: str, where: str) -> Path:
    try:
        return from_home(asked)
    except UsageError as error:
        raise UsageError(f"{where}={error.message}", hint=error.hint, path=asked) from error
