"""What the configuration expects of backups."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta

from msgspec import Struct, field

from producer.configuration.tables import Configuration
from producer.configuration.values.ages import parse_age


class Expected(Struct, frozen=True, kw_only=True):
    #: Volume → how old its last snapshot may be, for those that say so.
    max_ages: Mapping[str, timedelta] = field(default_factory=dict)
    #: Names of schedules that somebody has to run.
    schedules: Collection[str] = ()


def expected_by(configuration: Configuration) -> Expected:
    ages = {name: table.max_age for name, table in configuration.volumes.items()}
    return Expected(
        max_ages={name: parse_age(age) for name, age in ages.items() if age is not None},
        schedules=tuple(configuration.schedules),
    )
