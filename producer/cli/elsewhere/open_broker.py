"""The warning about a broker that anybody in the network can use."""

from __future__ import annotations

import click

from producer.broker.urls import is_open, without_password


def warn_about_broker(url: str | None) -> None:
    """Say so, on standard error, when ``url`` is a TCP broker that asks for neither password nor certificate."""
    if url is not None and is_open(url):
        click.echo(
            f"segfleet: warning: the broker {without_password(url)} asks for no password; whoever reaches it can give "
            "orders to every worker (docs/fleet.md says how to close it)",
            err=True,
        )
