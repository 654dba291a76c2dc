"""``python -m producer.cli.on_behalf PARENT-PID ARGUMENT...``: one command line, for a manager.

Dies with the manager: a run without its manager could neither report nor be stopped.  Its workers' receipts wait in the
queue, and the manager goes on with the run when it starts again.

SIGINT ends the run, SIGTERM the process alone: the manager that ends goes on with the run when it starts again.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

from producer.cli.main import run
from producer.run.interrupt import on_sigterm

_PR_SET_PDEATHSIG = 1


def main() -> int:
    signal.signal(signal.SIGTERM, on_sigterm)
    parent_pid = int(sys.argv[1])
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        return 1
    return run(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
