"""The options that say how much may stay unused, and how much is written again for that."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

from producer.cli.options.retention import UNLIMITED
from producer.cli.options.shared import size_between
from producer.configuration.values.sizes import parse_size
from producer.requests import RepackLimits
from tasks.errors import UsageError

Command = TypeVar("Command", bound=Callable[..., Any])

_PERCENT = re.compile(r"(?P<number>[0-9]+(\.[0-9]+)?) ?%")


def max_unused(value: str | RepackLimits) -> RepackLimits:
    """Reads ``5%``, ``10GiB`` or ``unlimited``."""
    if isinstance(value, RepackLimits):
        return value
    if value == UNLIMITED:
        return RepackLimits(max_unused_percent=None)
    if value.rstrip().endswith("%"):
        match = _PERCENT.fullmatch(value.strip())
        if match is None or float(match["number"]) > 100:
            raise click.BadParameter(f"{value!r} is not a share: give 0% to 100%")
        return RepackLimits(max_unused_percent=float(match["number"]))
    try:
        return RepackLimits(max_unused_percent=None, max_unused_bytes=parse_size(value))
    except UsageError as error:
        raise click.BadParameter(
            f"{value!r} is neither a share, a size nor {UNLIMITED}: give 5%, 10GiB or {UNLIMITED}"
        ) from error


def repack_options(command: Command) -> Command:
    """``limits``: what both options say together."""

    @click.option(
        "--max-unused",
        "unused",
        type=max_unused,
        default="5%",
        metavar="5%|SIZE|unlimited",
        show_default=True,
        help="How much unused data may stay in objects that are needed in part; beyond that, they are repacked.",
    )
    @click.option(
        "--max-repack-size",
        "max_repack_bytes",
        type=size_between(0),
        metavar="SIZE",
        help="Repack at most SIZE of stored objects.  [default: no limit]",
    )
    @functools.wraps(command)
    def with_limits(*args: Any, unused: RepackLimits, max_repack_bytes: int | None, **choices: Any) -> Any:
        limits = RepackLimits(
            max_unused_percent=unused.max_unused_percent,
            max_unused_bytes=unused.max_unused_bytes,
            max_repack_bytes=max_repack_bytes,
        )
        return command(*args, limits=limits, **choices)

    return with_limits  # type: ignore[return-value]
