"""The first instructions of the command ``segfleet``, before anything that takes time to import."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

_INTERRUPTED = 130


def main() -> NoReturn:
    """Carry out the command line of this process, and exit."""
    try:
        # Only now: imports take a tenth of a second, and a signal meanwhile must not print where they were.
        from producer.host.signals import end_at_once_on_signals

        end_at_once_on_signals()
        _use_utf8()
        code = _run()
        end_at_once_on_signals(code)
    except KeyboardInterrupt:
        # Ctrl-C before it is handled, or once more while the first one is reported.
        os.write(2, b"segfleet: interrupted\n")
        os._exit(_INTERRUPTED)
    _end(code)


def _end(code: int) -> NoReturn:
    """As sys.exit, without the end of each object that the program has made or imported: that takes 20 ms."""
    import atexit
    import threading
    from contextlib import suppress

    if threading.active_count() > 1:
        # The interpreter knows for which threads it has to wait.
        sys.exit(code)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        # A result that cannot be written has been noticed before: see GuardedOutput.
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _run() -> int:
    from producer.cli.collector import seldom_collecting

    with seldom_collecting():
        from producer.cli.main import main as run

        return run()


def _use_utf8() -> None:
    """Begin again in UTF-8 under any other locale: names are bytes, and must be stored as the same under each."""
    variable = "PYTHONUTF8"
    if sys.getfilesystemencoding() != "utf-8" and os.environ.get(variable) != "1":
        os.environ[variable] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
