"""``segfleet status``: the verdict, volumes, reservations and devices, as the catalog knows them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click
from msgspec.structs import replace

from producer.cli.call import Call
from producer.cli.catalog import opened_catalog
from producer.cli.elsewhere.fleet_command import FleetCommand
from producer.cli.options.shared import config_option, json_option, wide_option
from producer.cli.show.json_lines import write_row
from producer.cli.show.rows.status import Shown, status_lines, status_rows
from producer.cli.show.wrapped import say
from producer.cli.surveyed import write_page
from producer.configuration.values.ages import parse_age
from producer.host.behalf import HERE
from tasks.errors import SegfleetError, UsageError

if TYPE_CHECKING:
    from producer.catalog.catalog import Catalog
    from producer.monitor.overview import VolumeStatus
    from producer.monitor.space.sums import Protected

_LOOK_EVERY_S = 1.0

_STALE = 3


class StatusCommand(FleetCommand):
    """The broker knows the fleet and its runs; a manager is asked only if it is named, or for the age of a volume."""

    def invoke(self, ctx: click.Context) -> Any:
        call, values = ctx.ensure_object(Call), ctx.params
        html = values.pop("html")
        if html is not None:
            return write_page(call, html)
        if call.broker_url is None or call.is_on_behalf or self._is_of_catalog(ctx):
            if values["name"] is not None and values["max_age"] is None:
                raise UsageError(
                    "status of a run needs a broker", hint="set [broker] url in the configuration; see docs/fleet.md"
                )
            return super().invoke(ctx)
        # Only here: the imports of the broker take a third of a second.
        from producer.cli.elsewhere.fleet_status import show_fleet, show_run

        run, watch, manager = values["name"], values["watch"], self.manager_named(ctx)
        if run is None and not watch:
            return show_fleet(call)
        return show_run(call, run or "", watch=watch, manager=manager if run is None else None)

    def _is_of_catalog(self, ctx: click.Context) -> bool:
        if ctx.params["max_age"] is not None:
            return True
        manager = self.manager_named(ctx)
        return manager is not None and ctx.params["name"] is None and (manager == HERE or not ctx.params["watch"])


def _age(text: str) -> timedelta:
    try:
        return parse_age(text)
    except UsageError as error:
        raise click.BadParameter(f"{error.message}: {error.hint}") from error


@click.command(cls=StatusCommand)
@click.argument("name", required=False, metavar="[RUN|VOLUME]")
@click.option(
    "--watch",
    is_flag=True,
    help="Update the output until nothing runs; in a fleet: follow RUN, or the last one, until it ends.",
)
@click.option(
    "--max-age",
    type=_age,
    metavar="AGE",
    help="For monitoring: say only whether the last snapshot of VOLUME, or of each volume, is complete and not older "
    "than AGE, such as 26h; exit code 0 if so, 3 if not, 1 if unknown.",
)
@click.option("--html", metavar="FILE", help="Write the page of `segfleet page`, as it is now, into FILE.")
@wide_option
@json_option
@config_option
@click.pass_obj
def status(call: Call, name: str | None, watch: bool, max_age: timedelta | None) -> int:
    """Say in a sentence whether everything is backed up, and show volumes, reservations and devices.

    Reads only the catalog; `segfleet devices` asks the devices themselves.  In a fleet: shows what each manager's
    catalog says, the managers, the workers and the last runs, or only RUN.
    """
    from producer.monitor.overview import volumes

    with opened_catalog(call) as catalog:
        if max_age is not None:
            return _say_whether_fresh(call, volumes(catalog), name, max_age)
        _watch(call, _Looks(call, catalog).look, again=watch)
    return 0


class _Looks:
    """What is protected asks all segments: it is read again only when there is another snapshot, or another state."""

    def __init__(self, call: Call, catalog: Catalog) -> None:
        self._call = call
        self._catalog = catalog
        self._seen: list[object] = []
        self._protected: Protected | None = None

    def look(self) -> Shown:
        from producer.monitor.space.sums import protected

        shown = _shown(self._call, self._catalog)
        if not self._call.json:
            return shown
        seen: list[object] = [*(row.sealed for row in shown.volumes), *((row.name, row.state) for row in shown.devices)]
        if self._protected is None or seen != self._seen:
            self._seen, self._protected = seen, protected(self._catalog)
        return replace(shown, protected=self._protected)


def _shown(call: Call, catalog: Catalog) -> Shown:
    from producer.catalog.tables.devices import without_replaced
    from producer.monitor.expected import expected_by
    from producer.monitor.other_runs import other_runs
    from producer.monitor.overview import upkeep, volumes_of
    from producer.monitor.verdict import verdict
    from producer.ownership.verdict import living_locks

    known, reservations, locks = catalog.devices.all(), catalog.reservations.all(), living_locks(catalog)
    rows = volumes_of(catalog, known, reservations, locks)
    devices, scheduled = without_replaced(known), upkeep(reservations)
    # A check is of no volume.
    last_check = catalog.runs.newest("check", "")
    judged = verdict(
        rows,
        devices,
        last_check,
        datetime.now(UTC),
        expected_by(call.configuration),
        scheduled,
    )
    others = other_runs(locks.values())
    return Shown(verdict=judged, volumes=rows, devices=devices, others=others, upkeep=scheduled)


def _watch(call: Call, look: Callable[[], Shown], *, again: bool) -> None:
    """Print what there is; ``again``: whenever it changes, until nothing runs."""
    before: list[Any] = []
    while True:
        shown = look()
        found = status_rows(shown) if call.json else status_lines(shown, datetime.now(UTC), call.width)
        if found != before:
            _print(found, anew=again)
        if not again or not (shown.others or any(row.lock is not None for row in shown.volumes)):
            return
        before = found
        time.sleep(_LOOK_EVERY_S)


def _print(found: Sequence[Any], *, anew: bool) -> None:
    if anew:
        # Does nothing unless standard output is a terminal.
        click.clear()
    for row in found:
        if isinstance(row, str):
            click.echo(row)
        else:
            write_row(row)


def _say_whether_fresh(call: Call, rows: Sequence[VolumeStatus], volume: str | None, max_age: timedelta) -> int:
    """Returns the exit code; raises SegfleetError (exit code 1) where nobody can tell."""
    from producer.configuration.values.ages import format_age
    from producer.monitor.freshness import stale

    rows = [row for row in rows if volume in (None, row.volume)]
    if not rows:
        what = f"there is no volume {volume}" if volume else "nothing has been backed up yet"
        raise SegfleetError(what, hint="segfleet status lists the volumes")
    reasons = list(stale(rows, max_age, datetime.now(UTC)))
    if call.json:
        write_row({"message_type": "freshness", "fresh": not reasons, "volumes": len(rows), "reasons": reasons})
    else:
        fresh = f"fresh: the last snapshot of each volume is not older than {format_age(max_age)}"
        for line in reasons or [fresh]:
            say(line)
    return _STALE if reasons else 0
