"""A request that is written down is the same request when it is read again."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from producer.requests import BackupRequest, Exclusions, PlanOptions, Source
from tasks.values import SourcePlace

REQUEST = BackupRequest(
    sources=(
        Source(name="na\udcefve", path=Path("/srv/na\udcefve")),
        Source(name="b", path=Path("/srv/b"), within=SourcePlace(source="s\udcff", path="b")),
    ),
    devices={"a": Path("/mnt/\udcff"), "b": Path("/mnt/b")},
    volume="home",
    plan=PlanOptions(split="remaining", weights={"a": 2.5}, reserves_bytes={"a": 1}, reserve_bytes=None),
    exclusions=Exclusions(patterns=("*.tmp", "na\udcefve"), if_present=(".nobackup",)),
    tags=("daily",),
)


def test_a_request_survives_the_catalog_with_names_that_are_not_utf_8() -> None:
    plain = json.loads(json.dumps(REQUEST.to_json()))
    assert BackupRequest.from_json(plain) == REQUEST
    assert REQUEST.is_same_backup(plain)


@pytest.mark.parametrize(
    "changes",
    [
        {"devices": {"c": Path("/mnt/c")}},
        {"threads": 9},
        {"readers": 1},
        {"nice": 9},
        {"retries_count": 0},
        {"resume": "1" * 32},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_another_fleet_or_speed_makes_the_same_backup(changes: dict[str, object]) -> None:
    assert replace(REQUEST, **changes).is_same_backup(REQUEST.to_json())


@pytest.mark.parametrize(
    "changes",
    [
        {"sources": REQUEST.sources[:1]},
        {"volume": "other"},
        {"plan": PlanOptions()},
        {"exclusions": Exclusions()},
        {"level": 9},
        {"tags": ()},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_changes_the_stored_bytes_makes_another_backup(changes: dict[str, object]) -> None:
    assert not replace(REQUEST, **changes).is_same_backup(REQUEST.to_json())


def test_a_request_that_was_written_down_before_sources_had_places_is_read() -> None:
    plain = REQUEST.to_json()
    for source in plain["sources"]:
        del source["within"]

    assert [source.within for source in BackupRequest.from_json(plain).sources] == [None, None]


def test_the_same_folder_found_by_another_name_makes_another_backup() -> None:
    moved = replace(REQUEST.sources[1], within=SourcePlace(source="other", path="b"))

    assert not replace(REQUEST, sources=(REQUEST.sources[0], moved)).is_same_backup(REQUEST.to_json())


@pytest.mark.parametrize("plain", [{}, {"volume": 7}, {**REQUEST.to_json(), "level": "high"}])
def test_what_is_no_request_is_refused(plain: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        BackupRequest.from_json(plain)
