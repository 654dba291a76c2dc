"""``segfleet page``."""

from __future__ import annotations

import signal
from contextlib import suppress

import click

from producer.cli.call import Call
from producer.cli.elsewhere.command_here import CommandHere
from producer.cli.options.shared import config_option
from producer.cli.surveyed import operator_page


@click.command(cls=CommandHere)
@click.option("--address", default="127.0.0.1", show_default=True, metavar="IP", help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(1, 65535), default=8420, show_default=True, metavar="N", help="Port to listen on."
)
@click.option(
    "--downloads", is_flag=True, help="Let anyone who may see the page also download single files of snapshots."
)
@config_option
@click.pass_obj
def page(call: Call, address: str, port: int, downloads: bool) -> None:
    """Show in the browser whether everything is backed up, what runs, and what would be lost, until Ctrl-C.

    Read-only, from the catalog and the leases at the broker; only a download asks devices.  Set
    SEGFLEET_PAGE_AUTH=user:password in the environment to say who may see it.
    """
    with operator_page(call, address, port, downloads=downloads), suppress(KeyboardInterrupt):
        click.echo(f"segfleet: the page is at http://{address}:{port}", err=True)
        signal.pause()
