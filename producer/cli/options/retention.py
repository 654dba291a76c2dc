"""The options that say which snapshots are kept."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click
import msgspec

from producer.configuration.tables import Configuration
from producer.configuration.values.spans import parse_span
from producer.requests import UNLIMITED_COUNT, Retention
from tasks.errors import UsageError

Command = TypeVar("Command", bound=Callable[..., Any])

UNLIMITED = "unlimited"
_PERIODS = ("hourly", "daily", "weekly", "monthly", "yearly")
_OF_EACH = {"hourly": "hour", "daily": "day", "weekly": "week", "monthly": "month", "yearly": "year"}


def keep_count(value: str | int) -> int:
    """Reads how many snapshots to keep."""
    if value == UNLIMITED:
        return UNLIMITED_COUNT
    text = str(value)
    if not (text.isascii() and text.isdigit() and int(text) <= UNLIMITED_COUNT):
        raise click.BadParameter(f"{text!r} is not a count: give 0 or more, or {UNLIMITED}")
    return int(text)


def keep_span(value: str) -> str:
    """Checks a span of time, and leaves it as it was written."""
    try:
        parse_span(value)
    except UsageError as error:
        raise click.BadParameter(f"{error.message}: {error.hint}") from error
    return value


def _count_option(period: str, what: str) -> Callable[[Command], Command]:
    return click.option(f"--keep-{period}", type=keep_count, metavar="N", help=f"Keep {what}; {UNLIMITED}: all.")


def _span_option(period: str, what: str) -> Callable[[Command], Command]:
    name = "--keep-within" if period == "all" else f"--keep-within-{period}"
    return click.option(name, type=keep_span, metavar="SPAN", help=f"Keep {what} within SPAN of the newest.")


_OPTIONS = (
    _count_option("last", "the last N"),
    *(
        _count_option(period, f"the newest of each of the last N {_OF_EACH[period]}s that have one")
        for period in _PERIODS
    ),
    _span_option("all", "all"),
    *(_span_option(period, f"the newest of each {_OF_EACH[period]}") for period in _PERIODS),
    click.option("--keep-tag", multiple=True, metavar="T", help="Keep those with the tag T; repeat for others."),
)


#: The parameters that these options have.
RETENTION = frozenset(
    ("keep_tag", "keep_within", *(f"keep_{p}" for p in ("last", *_PERIODS)), *(f"keep_within_{p}" for p in _PERIODS))
)


def retention_options(command: Command) -> Command:
    """Decorates a command that takes these options, as keyword arguments for :func:`retention_from`."""
    return functools.reduce(lambda decorated, option: option(decorated), reversed(_OPTIONS), command)


def configured_retention(configuration: Configuration, volume: str) -> Retention | None:
    """The policy of ``[volumes.NAME.retention]``; None if the volume has none."""
    table = configuration.volumes.get(volume)
    return None if table is None or table.retention is None else retention_from(msgspec.structs.asdict(table.retention))


def retention_from(choices: dict[str, Any]) -> Retention | None:
    """The policy, taken out of the choices; None if no option was given.

    Raises UsageError for one that keeps nothing.
    """
    counts = {period: choices.pop(f"keep_{period}") for period in ("last", *_PERIODS)}
    within = {"all": choices.pop("keep_within"), **{p: choices.pop(f"keep_within_{p}") for p in _PERIODS}}
    tags = tuple(choices.pop("keep_tag"))
    if not tags and all(value is None for value in [*counts.values(), *within.values()]):
        return None
    retention = Retention(
        counts={period: keep_count(count) for period, count in counts.items() if count},
        within={period: span for period, span in within.items() if span and parse_span(span)},
        tags=tags,
    )
    if not retention:
        raise UsageError("this policy keeps nothing", hint="give at least one --keep option more than 0")
    return retention
