"""Which snapshots have the copies or the parity that they are to have, and where something is not protected."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.models.in_process import InProcess, in_process
from kit.program.json_lines import follow_their_schema
from kit.services.operator_page import served_page
from kit.tree import Tree, noise
from producer.catalog.catalog import Catalog
from producer.catalog.protection import Protections
from producer.cli.main import run
from producer.pool.losses.lost import device_named, mark_lost

TREE = Tree({f"d/{n}": noise(30_000 + 900 * n, seed=n) for n in range(8)})
PLAN: dict[str, Any] = {"segment_bytes": 64 * 1024}


@pytest.fixture(params=[{"copies": 2}, {"parity": 1}], ids=["copies", "parity"])
def pool(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[InProcess]:
    """A snapshot without protection, and the next one of the same files with it."""
    with in_process(tmp_path, "abcd") as made:
        source = TREE.make(tmp_path / "data")
        made.back_up({"data": source}, **PLAN)
        assert Protections(made.catalog).by_device(made.catalog.snapshots.all()) is None
        made.back_up({"data": source}, **PLAN, **request.param)
        yield made


def unprotected(made: InProcess) -> list[int | None]:
    protections = Protections(made.catalog)
    found = [protections.of(row) for row in made.catalog.snapshots.all()]
    return [None if one is None else one.unprotected_count for one in found]


def lose(made: InProcess, name: str) -> str:
    device = device_named(made.catalog, name)
    with made.catalog.transaction():
        mark_lost(made.catalog, device)
    return device.device_id


def test_a_snapshot_is_protected_until_a_device_is_lost_and_again_after_the_next_backup(
    pool: InProcess, tmp_path: Path
) -> None:
    assert unprotected(pool) == [None, 0]
    assert Protections(pool.catalog).by_device(pool.catalog.snapshots.all()) == {}

    lost = lose(pool, "d")

    (_, count) = unprotected(pool)
    assert count
    found = Protections(pool.catalog).by_device(pool.catalog.snapshots.all())
    assert found is not None
    assert lost not in found
    assert sum(one.bytes_stored for one in found.values()) > 0
    pool.devices = "abc"
    row = pool.catalog.snapshots.all()[1]
    pool.back_up({"data": tmp_path / "data"}, copies=row.copies, parity=row.parity, **PLAN)
    pool.repair()
    assert unprotected(pool)[1] == 0


def test_a_repair_protects_again_what_a_lost_device_held_or_says_that_it_cannot(pool: InProcess) -> None:
    lose(pool, "d")
    pool.devices = "abc"

    assert pool.repair().exit_code == 0
    assert unprotected(pool) == [None, 0]
    again = pool.repair()
    assert (again.exit_code, again.objects_copied) == (0, 0)

    lose(pool, "b")
    lose(pool, "c")
    pool.devices = "a"
    assert pool.repair().exit_code == 3


def test_a_rebuilt_catalog_knows_what_is_to_be_protected(pool: InProcess, tmp_path: Path) -> None:
    with Catalog(tmp_path / "other.sqlite") as pool.catalog:
        pool.rebuild()
        assert unprotected(pool) == [None, 0]
        assert Protections(pool.catalog).by_device(pool.catalog.snapshots.all()) == {}

        lose(pool, "d")
        pool.devices = "abc"
        assert unprotected(pool)[1]
        assert pool.repair().exit_code == 0
        assert unprotected(pool) == [None, 0]


def test_a_device_that_was_missing_at_a_rebuild_is_missing_in_what_is_protected(
    pool: InProcess, tmp_path: Path
) -> None:
    pool.device("d").rename(tmp_path / "away")
    pool.devices = "abc"
    with Catalog(tmp_path / "other.sqlite") as pool.catalog:
        pool.rebuild()
        lose(pool, "d")
        assert unprotected(pool)[1]
        assert pool.repair().exit_code == 0
        assert unprotected(pool) == [None, 0]


def test_the_list_of_snapshots_says_what_is_protected(
    pool: InProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SEGFLEET_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    lose(pool, "d")

    assert run(["snapshots", "--json"]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert run(["snapshots", "--wide"]) == 0
    header, plain, marked = capsys.readouterr().out.splitlines()

    assert run(["status", "--json"]) == 0
    status = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    follow_their_schema("status", status)

    with served_page(tmp_path / "state" / "catalog.sqlite") as browser:
        asked = json.loads(browser.ask("/api/status").text)
        front, listed = browser.ask("/").text, browser.ask(f"/snapshots?volume={first['volume']}").text

    said = marked.rpartition("  ")[2]
    assert f'data-label="protection">{said}<' in front
    assert re.findall(r'data-label="protection">([^<]*)<', listed) == [said, ""]
    assert any(re.findall(r'data-label="unprotected">([^<]*)<', front))
    volumes = [row for row in status if row["message_type"] == "volume"]
    assert [row["protection"] for row in (*volumes, *asked["volumes"])] == [second["protection"]] * 2
    weak = Protections(pool.catalog).by_device(pool.catalog.snapshots.all()) or {}
    named = {row.name: weak[row.device_id].bytes_stored for row in pool.catalog.devices.all() if row.device_id in weak}
    devices = [row for row in status if row["message_type"] == "device"]
    for rows in devices, asked["devices"]:
        assert {row["name"]: size for row in rows if (size := row["unprotected"]["bytes"])} == named != {}
    assert "protection" not in first
    assert second["protection"]["unprotected_segments"] > 0
    assert header.endswith("protection")
    assert "protected" not in plain and "not all protected" in marked and "without" in marked
