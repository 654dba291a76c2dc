"""``python -m workers DEVICE``: settings as JSON on standard input; the way a manager starts a local worker."""

from __future__ import annotations

import argparse
import json
import sys

from workers.settings import WorkerSettings
from workers.start import die_with_parent, run_worker


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m workers", description=__doc__)
    parser.add_argument("device")
    parser.add_argument("--parent-pid", type=int, help="end when this parent process ends")
    parser.add_argument("--log-level", default="WARNING")
    parser.add_argument("--shared", action="store_true", help="there may be other workers of the device")
    parser.add_argument("--events", action="store_true", help="send the events that Flower shows")
    arguments = parser.parse_args()
    if arguments.parent_pid is not None:
        die_with_parent(arguments.parent_pid)
    settings = WorkerSettings.from_plain(json.load(sys.stdin))
    return run_worker(
        settings,
        arguments.device,
        log_level=arguments.log_level,
        shared=arguments.shared,
        events=arguments.events,
    )


if __name__ == "__main__":
    sys.exit(main())
