"""The warnings about a broker that anybody on the network can use, or pose as."""

from __future__ import annotations

from producer.broker.urls import is_open, without_password
from producer.cli.show.wrapped import warn
from producer.configuration.certificates import is_unverified


def warn_about_broker(url: str | None) -> None:
    """Warn on standard error if ``url`` is a TCP broker without password and certificate, or is not verified."""
    if url is not None and is_open(url):
        warn(
            f"segfleet: warning: the broker {without_password(url)} has no password; anybody who reaches it can give "
            "orders to every worker (docs/fleet.md says how to protect it)",
        )
    if url is not None and is_unverified(url):
        warn(
            f"segfleet: warning: the certificate of {without_password(url)} is not verified: anybody between here and "
            "there can pose as the broker, and get the password (insecure-skip-verify)",
        )
