"""What a SOURCE means: here, in a fleet, and from a master."""

from __future__ import annotations

from pathlib import Path

import pytest

from producer.cli.options.sources.sources import Asker, choose_sources
from producer.configuration.tables import Configuration, SourceTable
from producer.requests import Source
from tasks.errors import UsageError
from tasks.values import SourcePlace


@pytest.fixture
def srv(tmp_path: Path) -> Path:
    """A host with the configured sources data, inner (a folder of data) and mail; and with what is nobody's."""
    for folder in ("data/projects/x", "data/inner/projects", "data/mail", "mail", "secret"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "data/disk.img").write_bytes(b"image")
    (tmp_path / "data/out").symlink_to("../secret")
    (tmp_path / "data/current").symlink_to("projects/x")
    return tmp_path


def choose(srv: Path, *arguments: str, asker: Asker = "master") -> tuple[Source, ...]:
    tables = {name: SourceTable(path=str(srv / path)) for name, path in CONFIGURED.items()}
    return choose_sources(arguments, Configuration(sources=tables), asker=asker)


CONFIGURED = {"data": "data", "inner": "data/inner", "mail": "mail"}


@pytest.mark.parametrize("asker", ["master", "fleet"])
@pytest.mark.parametrize(
    ("argument", "name", "within"),
    [
        ("{srv}/data/projects", "projects", ("data", "projects")),
        ("{srv}/data/projects/", "projects", ("data", "projects")),
        ("{srv}/data/projects/x", "x", ("data", "projects/x")),
        ("{srv}/data/disk.img", "disk.img", ("data", "disk.img")),
        ("{srv}/data/inner/projects", "projects", ("inner", "projects")),
        ("{srv}/secret/../data/projects", "projects", ("data", "projects")),
        # A name that agents would take for another source is not given.
        ("{srv}/data/mail", "mail-2", ("data", "mail")),
        # Named by the link, read where it leads to.
        ("{srv}/data/current", "current", ("data", "projects/x")),
        ("{srv}/data", "data", None),
        ("{srv}/mail/", "mail", None),
        ("mail", "mail", None),
    ],
)
def test_in_a_fleet_a_source_is_known_by_the_configured_one_that_it_lies_in(
    srv: Path, asker: Asker, argument: str, name: str, within: tuple[str, str] | None
) -> None:
    (source,) = choose(srv, argument.format(srv=srv), asker=asker)

    assert source.name == name
    assert source.path.is_relative_to(srv)
    assert source.within == (SourcePlace(source=within[0], path=within[1]) if within else None)
    root = srv / CONFIGURED[within[0]] if within else source.path
    assert source.root == (within[0] if within else name, root)


def test_a_master_may_begin_a_path_with_the_name_of_a_source(srv: Path) -> None:
    (source,) = choose(srv, "data/projects/x")

    assert (source.name, source.path) == ("x", srv / "data/projects/x")
    assert source.within == SourcePlace(source="data", path="projects/x")


def test_two_sources_below_one_have_names_of_their_own(srv: Path) -> None:
    one, two = choose(srv, f"{srv}/data/projects", f"{srv}/data/inner/projects")

    assert (one.name, two.name) == ("projects", "projects-2")
    assert (one.within, two.within) == (
        SourcePlace(source="data", path="projects"),
        SourcePlace(source="inner", path="projects"),
    )


@pytest.mark.parametrize(
    "argument",
    [
        "/",
        "/etc",
        "{srv}",
        "{srv}/secret",
        "{srv}/data/../secret",
        "{srv}/data-2",
        "{srv}/data/out",
        "data/../secret",
        "data/out",
        "data//../..",
        "../data",
        "./data",
        "photos",
        "~/data",
        "",
    ],
)
def test_a_master_may_name_nothing_outside_the_managers_sources(srv: Path, argument: str) -> None:
    with pytest.raises(UsageError, match="not inside a source of this manager"):
        choose(srv, argument.format(srv=srv))


def test_a_folder_that_is_not_there_is_refused(srv: Path) -> None:
    with pytest.raises(UsageError, match="cannot read source"):
        choose(srv, f"{srv}/data/gone")


def test_without_a_fleet_any_path_is_a_source_and_has_its_base_name(srv: Path) -> None:
    (source,) = choose(srv, f"{srv}/data/projects", asker="here")

    assert source == Source(name="projects", path=srv / "data/projects")
    assert source.root == ("projects", srv / "data/projects")


def test_in_a_fleet_a_path_outside_all_sources_takes_no_name_of_a_configured_one(srv: Path) -> None:
    (srv / "secret" / "data").mkdir()

    (source,) = choose(srv, f"{srv}/secret/data", asker="fleet")

    assert (source.name, source.within) == ("data-2", None)
