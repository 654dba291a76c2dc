"""``python -m producer.cli.on_behalf PARENT-PID ARGUMENT...``: one command, for a manager.

What a master has asked for comes on standard input, as JSON, and becomes further arguments here.

Dies with the manager: without it, the run could neither report nor be stopped.  The receipts of its workers wait in the
queue, and the manager resumes the run when it starts again.

SIGINT ends the run.  SIGTERM ends only the process: the manager is stopping, and resumes the run when it starts again.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

from producer.cli.collector import seldom_collecting

_PR_SET_PDEATHSIG = 1


def main() -> int:
    with seldom_collecting():
        return _main()


def _main() -> int:
    # Only now, after the change of the collector's settings: imports take most of the time of a short command.
    from producer.cli.main import run
    from producer.cli.output import guard_output
    from producer.run.interrupt import on_sigterm

    signal.signal(signal.SIGTERM, on_sigterm)
    parent_pid = int(sys.argv[1])
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        return 1
    output = guard_output()
    return run([*sys.argv[2:], *_asked(sys.stdin.buffer.read())], output)


def _asked(data: bytes) -> list[str]:
    # As above.
    from producer.manager.protocol.calls import arguments_of
    from producer.manager.protocol.messages import decode_command
    from tasks.bounded_json import load_json

    return arguments_of(decode_command(load_json(data))) if data else []


if __name__ == "__main__":
    sys.exit(main())
