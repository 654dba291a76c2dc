"""``segfleet pin``, ``unpin`` and ``tag``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from producer.catalog.catalog import Catalog
from producer.catalog.tables.snapshots.rows import NewSnapshot
from producer.cli.commands.retention.tag import changed_tags
from producer.cli.main import run
from producer.host.state import open_state

ONE, TWO = "1" * 32, "2" * 32


@pytest.fixture(autouse=True)
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalog]:
    """Two sealed snapshots of one volume."""
    monkeypatch.setenv("SEGFLEET_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    with Catalog(open_state().catalog_url) as opened:
        for number, snapshot_id in enumerate((ONE, TWO), start=1):
            opened.snapshots.begin(
                NewSnapshot(
                    snapshot_id=snapshot_id,
                    pool_id="c" * 32,
                    volume="home",
                    mode="files",
                    hostname="here",
                    tags=("nightly",),
                    sources=(),
                    request={},
                    started_at=datetime(2026, 1, number, tzinfo=UTC),
                )
            )
            opened.snapshots.seal(snapshot_id, datetime(2026, 1, number, tzinfo=UTC), b"d" * 32)
        yield opened


def test_a_pin_is_set_shown_and_taken_away(catalog: Catalog, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["pin", ONE[:8], "latest"]) == 0
    assert capsys.readouterr().out == (
        "snapshot 11111111: pinned, tags: nightly\nsnapshot 22222222: pinned, tags: nightly\n"
    )
    assert run(["unpin", ONE]) == 0
    assert [row.pinned for row in catalog.snapshots.all()] == [False, True]
    capsys.readouterr()
    assert run(["snapshots"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.endswith("pinned") for line in lines] == [False, False, True]
    assert run(["snapshots", "--json"]) == 0
    assert [json.loads(line)["pinned"] for line in capsys.readouterr().out.splitlines()] == [False, True]


def test_tags_are_changed_and_printed(catalog: Catalog, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tag", ONE, "--add", "release", "--remove", "nightly", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "message_type": "snapshot",
        "snapshot_id": ONE,
        "volume": "home",
        "tags": ["release"],
        "pinned": False,
    }
    assert run(["snapshots", "--tag", "release", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["snapshot_id"] == ONE


def test_what_changes_nothing_is_not_noted_as_a_change(catalog: Catalog) -> None:
    assert run(["tag", ONE, "--add", "nightly"]) == 0
    assert run(["unpin", ONE]) == 0
    assert catalog.snapshots.get(ONE).marked_at is None


@pytest.mark.parametrize(
    ("add", "remove", "replacing", "tags"),
    [
        (("c",), (), (), ["a", "b", "c"]),
        (("a", "c", "c"), ("b", "x"), (), ["a", "c"]),
        ((), ("a", "b"), (), []),
        ((), (), ("z", "a"), ["z", "a"]),
        ((), (), ("",), []),
    ],
)
def test_tags_keep_their_order(
    add: tuple[str, ...], remove: tuple[str, ...], replacing: tuple[str, ...], tags: list[str]
) -> None:
    assert changed_tags(("a", "b"), add=add, remove=remove, replacing=replacing) == tags


@pytest.mark.parametrize(
    "arguments",
    [
        ["tag", ONE],
        ["tag", ONE, "--set=a", "--add=b"],
        ["tag", "--add=a"],
        ["tag", "abcdef01", "--add=a"],
        ["pin"],
        ["pin", ONE, "abcdef01"],
    ],
)
def test_bad_input_is_refused_and_nothing_changes(catalog: Catalog, arguments: list[str]) -> None:
    assert run(arguments) == 2
    assert [(row.tags, row.pinned) for row in catalog.snapshots.all()] == 2 * [(("nightly",), False)]
