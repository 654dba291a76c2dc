"""The first instructions of the command ``segfleet``, before anything that takes time to import."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from producer.cli.collector import seldom_collecting
from producer.host.signals import end_at_once_on_signals


def main() -> NoReturn:
    """Carry out the command line of this process, and exit."""
    end_at_once_on_signals()
    _use_utf8()
    with seldom_collecting():
        # Only now: the imports take a tenth of a second, and a signal meanwhile must not print where they were.
        from producer.cli.main import main as run

        code = run()
    end_at_once_on_signals(code)
    sys.exit(code)


def _use_utf8() -> None:
    """Begin again in UTF-8 under any other locale: names are bytes, and must be stored as the same under each."""
    variable = "PYTHONUTF8"
    if sys.getfilesystemencoding() != "utf-8" and os.environ.get(variable) != "1":
        os.environ[variable] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
