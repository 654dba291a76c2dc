"""The names that segfleet makes up."""

from __future__ import annotations

from pathlib import Path

import pytest

from producer.cli.options.sources.naming import is_volume_name, source_name, volume_name


@pytest.mark.parametrize(
    ("path", "taken", "name"),
    [
        ("/srv/data", [], "data"),
        ("/srv/data", ["data"], "data-2"),
        ("/srv/data", ["data", "data-2"], "data-3"),
        ("/", [], "root"),
        ("/root", ["root"], "root-2"),
        ("/srv/two\nlines", [], "two\nlines"),
    ],
)
def test_a_source_is_called_by_its_base_name_and_numbered_on_a_clash(path: str, taken: list[str], name: str) -> None:
    assert source_name(Path(path), taken) == name


def test_a_volume_is_called_by_its_sources_in_any_order() -> None:
    assert volume_name(["data"]) == "data"
    assert volume_name(["srv", "home"]) == volume_name(["home", "srv"]) == "home_srv"


@pytest.mark.parametrize("source", ["two words", ".hidden", "übung", "\udcff", "x" * 64, "日本", "-"])
def test_what_cannot_name_a_volume_becomes_a_name_with_a_digest(source: str) -> None:
    name = volume_name([source])
    assert is_volume_name(name)
    assert name != volume_name([source + "."])
    assert name == volume_name([source])


@pytest.mark.parametrize(("name", "good"), [("a", True), ("A-1_b", True), ("", False), ("-a", False), ("a b", False)])
def test_a_volume_name_can_name_a_queue(name: str, good: bool) -> None:
    assert is_volume_name(name) is good
