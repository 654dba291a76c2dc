"""``segfleet tag``."""

from __future__ import annotations

from collections.abc import Sequence

import click

from producer.cli.call import Call
from producer.cli.catalog import opened_catalog
from producer.cli.elsewhere.fleet_command import FleetCommand
from producer.cli.options.completing import stored_snapshots
from producer.cli.options.shared import config_option, json_option
from producer.cli.show.rows.marked import show_marked
from tasks.errors import UsageError


@click.command(cls=FleetCommand)
@click.argument("snapshots", nargs=-1, required=True, metavar="SNAPSHOT...", shell_complete=stored_snapshots)
@click.option("--add", multiple=True, metavar="T", help="Add the tag T; repeat for more.")
@click.option("--remove", multiple=True, metavar="T", help="Remove the tag T; repeat for more.")
@click.option("--set", "replacing", multiple=True, metavar="T", help="Replace all tags with T; '' removes all.")
@json_option
@config_option
@click.pass_obj
def tag(
    call: Call,
    snapshots: tuple[str, ...],
    add: tuple[str, ...],
    remove: tuple[str, ...],
    replacing: tuple[str, ...],
) -> None:
    """Change the tags of SNAPSHOTs."""
    if bool(add or remove) == bool(replacing):
        raise UsageError("say how to change the tags", hint="give --add and --remove, or --set")
    with opened_catalog(call) as catalog:
        rows = [catalog.snapshots.find(name) for name in snapshots]
        with catalog.transaction():
            for row in rows:
                tags = changed_tags(row.tags, add=add, remove=remove, replacing=replacing)
                if tags != list(row.tags):
                    catalog.marks.set_tags(row.snapshot_id, tags)
        show_marked(call, [catalog.snapshots.get(row.snapshot_id) for row in rows])


def changed_tags(
    tags: Sequence[str], *, add: Sequence[str], remove: Sequence[str], replacing: Sequence[str]
) -> list[str]:
    """The tags in their order, new ones last, each once and none of them empty."""
    kept = () if replacing else (tag for tag in tags if tag not in remove)
    return [tag for tag in dict.fromkeys((*kept, *replacing, *add)) if tag]
