"""``python -m workers DEVICE...``: settings as JSON on standard input; how every worker is started."""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m workers", description=__doc__)
    parser.add_argument("devices", nargs="+", metavar="DEVICE")
    parser.add_argument("--fork", type=Path, metavar="LOGS", help="a process for each device, children of the parent")
    parser.add_argument("--parent-pid", type=int, help="end when this parent process ends")
    parser.add_argument("--log-level", default="WARNING")
    parser.add_argument("--shared", action="store_true", help="there may be other workers of the device")
    parser.add_argument("--events", action="store_true", help="send the events that Flower shows")
    arguments = parser.parse_args()
    # A bundle is lists of thousands: with the default threshold of 700 the collector scans them, and all modules, again
    # and again, which costs 3 % of a small tree's backup.  The imports alone make 100,000 objects that stay.
    gc.set_threshold(200_000)
    # Imported only now, after the change of the collector's settings above.
    from tasks.errors import BrokerError
    from workers.process.fork import fork_workers, import_early
    from workers.process.start import die_with_parent, run_worker
    from workers.settings import WorkerSettings

    if arguments.parent_pid is not None:
        die_with_parent(arguments.parent_pid)
    if arguments.fork is not None:
        # While settings are still to come.
        import_early()
    settings = WorkerSettings.from_plain(json.load(sys.stdin))
    # The kernel derives the disk priority from it too, unless ionice(1) has set one.
    os.nice(settings.nice)
    device = arguments.devices[0]
    if arguments.fork is not None:
        forked = fork_workers(arguments.devices, arguments.fork, arguments.parent_pid)
        if forked is None:
            return 0
        device = forked
    try:
        return run_worker(
            settings,
            device,
            log_level=arguments.log_level,
            shared=arguments.shared,
            events=arguments.events,
        )
    except BrokerError as error:
        print(f"segfleet: device {device}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
