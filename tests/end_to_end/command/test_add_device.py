"""A device is added before a backup uses it, and where it stands is known wherever it is looked at."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kit.program.machine import Machine
from kit.program.machine import machine as new_machine
from kit.tree import Tree


@pytest.fixture(scope="module")
def pool() -> Iterator[Machine]:
    """A backup on a, which stands in the attic, and on b, of which nobody said where."""
    with new_machine() as made:
        source = Tree({"1": b"1"}).make(made.folder / "data")
        made.limit("a b", None)
        configuration = made.folder / "segfleet.toml"
        configuration.write_text(configuration.read_text().replace("[devices.b]", 'site = "attic"\n[devices.b]'))
        made.devices("a b c")
        made.succeed("backup", source)
        yield made


def devices(machine: Machine, *options: str) -> dict[str, tuple[str, str]]:
    """Name → pool and site."""
    rows = machine.succeed("devices", *options, "--json").rows_of("device")
    return {row["name"]: (row["pool_id"], row["site"]) for row in rows}


def test_a_device_that_is_added_belongs_to_the_pool_and_stands_where_it_was_said(pool: Machine) -> None:
    added = pool.succeed("devices", "add", f"c={pool.device('c')}", "--site=cellar", "--json").rows_of("device")
    again = pool.succeed("devices", "add", f"c={pool.device('c')}", "--json").rows_of("device")

    shown = devices(pool, *pool.devices("a b c"))
    assert added[0]["device_id"] == again[0]["device_id"]
    assert {pool_id for pool_id, _ in shown.values()} == {added[0]["pool_id"]}
    assert {name: site for name, (_, site) in shown.items()} == {"a": "attic", "b": "", "c": "cellar"}


def test_a_rebuilt_catalog_knows_where_the_devices_stand(pool: Machine) -> None:
    with new_machine() as other:
        places = [f"--device={name}={pool.device(name)}" for name in "ab"]
        other.succeed("rebuild", *places)

        assert {name: site for name, (_, site) in devices(other, *places).items()} == {"a": "attic", "b": ""}


def test_bad_input(pool: Machine) -> None:
    assert pool.run("devices", "add", f"d={pool.folder / 'data'}").exit_code == 10
    assert pool.run("devices", "add", f"d={pool.folder / 'nowhere'}").exit_code == 10
    assert pool.run("devices", "add", f"d={pool.device('a')}").exit_code in (2, 10)
    assert pool.run("devices", "add", f"c={pool.device('c')}", "--site=two words").exit_code == 2
