"""``segfleet manager``."""

from __future__ import annotations

import os
import platform
import re
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from producer.cli.call import Call
from producer.cli.catalog import opened_catalog
from producer.cli.elsewhere.command_here import CommandHere
from producer.cli.notifying import looking_around
from producer.cli.options.shared import config_option
from producer.cli.show.safe_text import escaped
from producer.cli.show.times import stamped
from producer.cli.surveyed import operator_page
from producer.host.behalf import HERE
from tasks.errors import UsageError

if TYPE_CHECKING:
    from producer.catalog.catalog import Catalog

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")


def _place(_ctx: click.Context, _param: click.Parameter, value: str | None) -> tuple[str, int] | None:
    """Reads [IP:]PORT; an IPv6 address stands in brackets."""
    if value is None:
        return None
    address, _, port = value.rpartition(":")
    if not port.isdecimal() or not 0 < int(port) < 65_536:
        raise click.BadParameter(f"{value!r} is not [IP:]PORT, such as 8420 or 127.0.0.1:8420")
    return address.strip("[]") or "127.0.0.1", int(port)


@click.command(cls=CommandHere)
@click.argument("name", required=False)
@click.option("--page", metavar="[IP:]PORT", callback=_place, help="Also serve the page of `segfleet page`.")
@click.option(
    "--downloads", is_flag=True, help="With --page: let anyone who may see it also download single files of snapshots."
)
@config_option
@click.pass_obj
def manager(call: Call, name: str | None, page: tuple[str, int] | None, downloads: bool) -> None:
    """Manage the volumes of this host's configuration, and carry out commands from other hosts, until SIGTERM.

    NAME defaults to this host's name.  You can stop and start the manager at any time; it resumes unfinished backups.
    """
    from producer.broker import broker
    from producer.cli.commands.services.followed import FollowedConfiguration
    from producer.cli.elsewhere.open_broker import warn_about_broker
    from producer.cli.log_lines import say_warnings
    from producer.manager.commands import Identity
    from producer.manager.service import Manager, presence_of
    from producer.schedule.scheduler import has_work
    from tasks.broker.leases import this_release
    from tasks.orders import WIRE_VERSION

    name = name or re.sub(r"[^A-Za-z0-9_-]", "-", platform.node().partition(".")[0])[:40]
    if not _NAME.fullmatch(name) or name == HERE:
        raise UsageError(
            f"{name!r} is not a valid manager name", hint="use 1 to 40 letters, digits, '-' and '_'; local is reserved"
        )
    if downloads and page is None:
        raise UsageError("without the page there is nothing to download from", hint="add --page 8420")
    environment = call.environment()
    if environment.broker_url is None:
        raise UsageError("a manager needs a broker", hint="set [broker] url in the configuration")
    with broker(environment.broker_url, environment.state):
        warn_about_broker(environment.broker_url)
    with opened_catalog(call) as catalog:
        volumes = _volumes(call, catalog, name)
    presence = presence_of(name, volumes, pid=os.getpid(), release=this_release(), wire=WIRE_VERSION)
    identity = Identity(
        presence=presence,
        broker_url=environment.broker_url,
        ledger=environment.state.path / "managers" / name,
        configuration=("--config", str(call.configuration_path)) if call.configuration_path else (),
    )
    say_warnings(lambda text: stamped(escaped(text)))
    click.echo(stamped(f"manager {name} with volumes {', '.join(presence.volumes) or 'none'}"), err=True)
    with opened_catalog(call) as catalog:
        followed = FollowedConfiguration(call, catalog, manager=name, note=_note)

        def is_due() -> bool:
            followed.look()
            return has_work(catalog, datetime.now(UTC), followed.serves)

        with (
            operator_page(call, *page, downloads=downloads) if page is not None else nullcontext(),
            looking_around(call, _note),
        ):
            Manager(
                identity,
                note=_note,
                volumes=lambda: _volumes(call, catalog, name),
                is_due=is_due,
                how_ended=catalog.runs.exit_code,
            ).run()


def _volumes(call: Call, catalog: Catalog, name: str) -> tuple[str, ...]:
    """The configured sources, each a volume by itself, and volumes, and what has been backed up or reserved besides.

    On a catalog that several hosts may share: what has been backed up from this one, or reserved for it.
    """
    from producer.schedule.belongs import belongs_here

    backed_up = catalog.snapshots.volumes(platform.node() if catalog.is_shared else None)
    reserved = {row.volume for row in catalog.reservations.all() if belongs_here(row, manager=name)}
    known = backed_up | reserved
    return tuple(sorted(known | call.configuration.sources.keys() | call.configuration.volumes.keys()))


def _note(text: str) -> None:
    # Words of masters are in it: one line each, whatever they hold.
    click.echo(stamped(escaped(text)), err=True)
