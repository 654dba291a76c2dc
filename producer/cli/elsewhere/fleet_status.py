"""What the broker knows about a fleet: its managers, workers and runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
import msgspec
import redis
from msgspec.structs import asdict

from producer.broker import without_password
from producer.cli.call import Call
from producer.cli.elsewhere.managers_status import statuses
from producer.cli.show.json_lines import write_row
from producer.cli.show.live.watching import watched
from producer.cli.show.safe_text import escaped, harmless
from producer.cli.show.tables import lines_of
from producer.cli.show.times import with_age_of
from producer.cli.show.wrapped import warn
from producer.configuration.values.sizes import format_size
from producer.manager.presence import PRESENCE_LIFE_S, Presence, RunStatus, managers, runs
from producer.master.choose import is_there, lost_run
from producer.observer import Observer, Progress
from tasks.broker.leases import Lease, all_leases, redis_client
from tasks.errors import BrokerError, UsageError

_MANAGERS = ("manager", "host", "since", "volumes")
_WORKERS = ("device", "worker", "moved", "current order")
_RUNS = ("run", "manager", "command", "of", "state", "phase", "done", "total", "started", "ended", "exit", "why")
_SELDOM = ("total", "ended", "phase", "manager", "done", "since", "current order", "started")

#: Older runs are in the managers' histories.
_RUNS_COUNT = 20

_LOOK_EVERY_S = 0.5


def show_fleet(call: Call) -> int:
    """Print what the managers' catalogs say, the managers, the workers and the last runs."""
    with _client(call) as client:
        found, workers, last = managers(client), all_leases(client), runs(client)[:_RUNS_COUNT]
    for names, text in statuses(call, found.values()):
        _show_status(call, names, text)
    if call.json:
        for presence in found.values():
            write_row({"message_type": "manager", **asdict(presence)})
        for lease in workers:
            write_row({"message_type": "agent", **asdict(lease)})
        for run in last:
            write_row(_run_json(run))
        return 0
    _print(call, _MANAGERS, [_manager_cells(presence) for presence in found.values()])
    click.echo()
    _print(call, _WORKERS, [_worker_cells(lease) for lease in workers])
    click.echo()
    _print(call, _RUNS, [_run_cells(run) for run in last])
    return 0


def _show_status(call: Call, names: str, text: str) -> None:
    """``names``: "" for a complaint."""
    if not names:
        warn(f"segfleet: {text}")
    elif call.json:
        click.echo(text, nl=False)
    else:
        click.echo(f"manager {names}\n{harmless(text)}")


def show_run(call: Call, prefix: str, *, watch: bool, manager: str | None = None) -> int:
    """Print the newest run whose id starts with ``prefix``, of ``manager`` if given; with ``watch``, until it ends.

    Returns the run's exit code when it has ended, else 0.  Raises NoManagerError, see :func:`_watch`.
    """
    with _client(call) as client:
        run = _find(client, prefix, manager)
        if watch and run.state == "running":
            with watched(call) as observer:
                run = _watch(client, run, observer)
    if call.json:
        write_row(_run_json(run))
    else:
        _print(call, _RUNS, [_run_cells(run)])
    return run.exit_code or 0


def _watch(client: redis.Redis, run: RunStatus, observer: Observer) -> RunStatus:
    """The run, once it has ended; raises NoManagerError if its manager is gone and does not return soon.

    Waits for a broker that is away, and says so.  A manager reports the end of a run again to a broker that lost it.
    """
    seen_s, is_away = time.monotonic(), False
    while True:
        try:
            found, has_manager = next(iter(runs(client, run.run_id)), None), is_there(client, run.manager)
            run, is_away = found or run, False
        except (redis.RedisError, OSError) as error:
            if not is_away:
                observer.note(f"the broker does not answer ({error}); waiting for it")
            found, has_manager, is_away = None, False, True
        if run.state != "running":
            return run
        if is_away or (found and has_manager):
            seen_s = time.monotonic()
        elif time.monotonic() > seen_s + PRESENCE_LIFE_S:
            raise lost_run(run.manager, run.run_id, has_manager=has_manager)
        observer.progress(_progress(run))
        time.sleep(_LOOK_EVERY_S)


def _find(client: redis.Redis, prefix: str, manager: str | None = None) -> RunStatus:
    found = [run for run in runs(client, prefix) if manager in (None, run.manager)]
    if not found:
        of_whom = f" of manager {manager}" if manager is not None else ""
        raise UsageError(
            f"no run starts with {prefix}" if prefix else f"there are no runs{of_whom} yet",
            hint="segfleet status lists them",
        )
    return found[0]


def _progress(run: RunStatus) -> Progress:
    row = {key: value for key, value in run.progress.items() if key != "message_type"}
    return msgspec.convert(row, Progress) if row else Progress(phase="starting")


@contextmanager
def _client(call: Call) -> Iterator[redis.Redis]:
    assert call.broker_url is not None
    client = redis_client(call.broker_url)
    try:
        yield client
    except (redis.RedisError, OSError) as error:
        raise BrokerError(f"cannot ask the broker {without_password(call.broker_url)}: {error}") from error
    finally:
        client.close()


def _print(call: Call, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    for line in lines_of(header, rows, seldom=_SELDOM, width=call.width):
        click.echo(line)


def _manager_cells(presence: Presence) -> tuple[str, ...]:
    return presence.name, presence.host, with_age_of(presence.since), ", ".join(presence.volumes)


def _worker_cells(lease: Lease) -> tuple[str, ...]:
    return lease.device, lease.worker, format_size(lease.bytes_moved), lease.order_id[:8]


def _run_cells(run: RunStatus) -> tuple[str, ...]:
    progress = run.progress
    return (
        run.run_id[:8],
        run.manager,
        run.command,
        escaped(" ".join(run.words)),
        run.state,
        str(progress.get("phase", "")),
        format_size(progress.get("bytes_done", 0)),
        format_size(progress.get("bytes_total", 0)),
        with_age_of(run.started),
        with_age_of(run.ended),
        "" if run.exit_code is None else str(run.exit_code),
        escaped(run.reason),
    )


def _run_json(run: RunStatus) -> dict[str, Any]:
    progress = {key: value for key, value in run.progress.items() if key != "message_type"}
    return {"message_type": "run", **asdict(run), "words": list(run.words), "progress": progress}
