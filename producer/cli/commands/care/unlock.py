"""``segfleet unlock``: shows locks, and removes stale ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from producer.cli.call import Call
from producer.cli.catalog import opened_catalog
from producer.cli.elsewhere.fleet_command import FleetCommand
from producer.cli.options.completing import known_volumes
from producer.cli.options.shared import config_option, json_option
from producer.cli.show.json_lines import write_row
from producer.cli.show.rows.locks import lock_json
from producer.cli.show.safe_text import escaped
from producer.cli.show.tables import lines_of
from producer.cli.show.times import with_age
from producer.cli.show.wrapped import say, warn
from tasks.errors import LockedError

if TYPE_CHECKING:
    from producer.ownership.unlock import SeenLock

_HEADER = ("lock", "for", "host", "pid", "manager", "since", "last sign of life", "owner")


@click.command(cls=FleetCommand)
@click.argument("volumes", nargs=-1, metavar="[VOLUME...]", shell_complete=known_volumes)
@click.option("--list", "only_list", is_flag=True, help="Show the locks and their owners; change nothing.")
@json_option
@config_option
@click.pass_obj
def unlock(call: Call, volumes: tuple[str, ...], only_list: bool) -> None:
    """Remove stale locks, whose owners are gone: those of the VOLUMEs, or all.

    Backups take over stale locks automatically.  A lock stays if its owner lives or may live; for a VOLUME that you
    name, this is an error (exit code 11) that says who holds it.
    """
    from producer.ownership.unlock import look, unlock
    from producer.ownership.verdict import in_words, what_to_do

    with opened_catalog(call) as catalog:
        rows = (look if only_list else unlock)(catalog, volumes)
    _show(call, rows, only_list=only_list)
    kept = next((row.lock for row in rows if not row.removed), None)
    if volumes and kept is not None and not only_list:
        raise LockedError(f"{kept.name} is in use by {in_words(kept)}", hint=what_to_do(kept))


def _show(call: Call, rows: list[SeenLock], *, only_list: bool) -> None:
    if call.json:
        for row in rows:
            write_row(lock_json(row.lock) | {"message_type": "lock", "owner": row.owner, "removed": row.removed})
    elif not rows:
        warn("there are no locks")
    elif only_list:
        for line in lines_of(_HEADER, [_cells(row) for row in rows], right="   >", width=call.width):
            click.echo(line)
    else:
        _tell(rows)


def _tell(rows: list[SeenLock]) -> None:
    from producer.ownership.verdict import in_words

    for row in rows:
        what = "removed, its owner is gone" if row.removed else f"kept, its owner is {_OWNERS[row.owner]}"
        say(f"{escaped(row.lock.name)}: {escaped(in_words(row.lock))}: {what}")


#: An owner that seemed gone, and whose lock was kept, has shown a sign of life just now.
_OWNERS = {"alive": "alive", "suspect": "silent, but not long enough to be sure", "gone": "alive"}


def _cells(row: SeenLock) -> tuple[str, ...]:
    owner = row.lock.owner
    return (
        escaped(row.lock.name),
        escaped(row.lock.purpose),
        escaped(owner.host),
        str(owner.pid),
        owner.manager,
        with_age(row.lock.since),
        with_age(owner.renewed_at),
        row.owner,
    )
