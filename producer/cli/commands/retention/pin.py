"""``segfleet pin`` and ``segfleet unpin``."""

from __future__ import annotations

import click

from producer.cli.call import Call
from producer.cli.catalog import opened_catalog
from producer.cli.elsewhere.fleet_command import FleetCommand
from producer.cli.options.completing import stored_snapshots
from producer.cli.options.shared import config_option, json_option
from producer.cli.show.rows.marked import show_marked


@click.command(cls=FleetCommand)
@click.argument("snapshots", nargs=-1, required=True, metavar="SNAPSHOT...", shell_complete=stored_snapshots)
@json_option
@config_option
@click.pass_obj
def pin(call: Call, snapshots: tuple[str, ...]) -> None:
    """Keep SNAPSHOTs whatever a policy says, until they are unpinned."""
    _set_pinned(call, snapshots, pinned=True)


@click.command(cls=FleetCommand)
@click.argument("snapshots", nargs=-1, required=True, metavar="SNAPSHOT...", shell_complete=stored_snapshots)
@json_option
@config_option
@click.pass_obj
def unpin(call: Call, snapshots: tuple[str, ...]) -> None:
    """Leave SNAPSHOTs to the policy again."""
    _set_pinned(call, snapshots, pinned=False)


def _set_pinned(call: Call, names: tuple[str, ...], *, pinned: bool) -> None:
    with opened_catalog(call) as catalog:
        rows = [catalog.snapshots.find(name) for name in names]
        with catalog.transaction():
            for row in rows:
                if row.pinned != pinned:
                    catalog.marks.set_pinned(row.snapshot_id, pinned)
        show_marked(call, [catalog.snapshots.get(row.snapshot_id) for row in rows])
