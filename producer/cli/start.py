"""The first instructions of the command ``segfleet``, before anything that takes time to import."""

from __future__ import annotations

import sys
from typing import NoReturn

from producer.host.signals import end_at_once_on_signals


def main() -> NoReturn:
    """Carry out the command line of this process, and exit."""
    end_at_once_on_signals()
    # Only now: the imports take a tenth of a second, and a signal meanwhile must not print where they were.
    from producer.cli.main import main as run

    code = run()
    end_at_once_on_signals(code)
    sys.exit(code)
