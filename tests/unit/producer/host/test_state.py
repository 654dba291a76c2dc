import os
import tempfile
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from kit.needs import need_root
from kit.program.nobody import NOBODY, as_nobody
from producer.host import state
from producer.host.state import open_state
from tasks.errors import CatalogError


@pytest.fixture
def chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "deep" / "state"
    monkeypatch.setenv("SEGFLEET_STATE", str(path))
    return path


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_the_state_folder_and_its_parts_belong_to_the_user_alone(chosen: Path) -> None:
    state = open_state()

    assert state.path == chosen
    assert [mode(path) for path in (state.path, state.broker_dir, state.locks_dir)] == [0o700] * 3


def test_opening_it_again_changes_nothing(chosen: Path) -> None:
    first = open_state()
    (chosen / "catalog.sqlite").write_bytes(b"")

    assert open_state() == first
    assert (chosen / "catalog.sqlite").exists()


def test_a_relative_path_is_taken_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEGFLEET_STATE", "here")

    assert open_state().path == tmp_path / "here"


def test_without_the_variable_it_is_the_platforms_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEGFLEET_STATE", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    assert open_state().path == tmp_path / "segfleet"


def test_the_catalog_url_names_a_file_in_the_folder(chosen: Path) -> None:
    state = open_state()

    with create_engine(state.catalog_url).connect():
        assert (chosen / "catalog.sqlite").exists()


def test_a_file_in_its_place_is_a_clear_error(chosen: Path) -> None:
    chosen.parent.mkdir()
    chosen.write_text("a file")

    with pytest.raises(CatalogError, match="cannot make the state folder") as caught:
        open_state()

    assert "SEGFLEET_STATE" in caught.value.hint


def test_of_a_folder_that_cannot_be_written_only_the_catalog_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_what_cannot_be_written(folder: Path) -> None:
        path, elsewhere = folder / "state", folder / "run"
        elsewhere.mkdir()
        monkeypatch.setenv("SEGFLEET_STATE", str(path))
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(elsewhere))
        open_state()
        path.chmod(0o500)
        first = open_state()
        assert first.path == path
        assert all(place.is_relative_to(elsewhere) for place in (first.broker_dir, first.locks_dir, first.logs_dir))
        assert mode(first.broker_dir) == 0o700
        assert open_state() == first
        path.chmod(0)
        with pytest.raises(CatalogError, match="cannot read the state folder"):
            open_state()
        path.chmod(0o700)

    as_nobody(tmp_path, open_what_cannot_be_written)


def test_a_folder_that_somebody_else_has_made_is_not_used(chosen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need_root("give a folder to somebody else")
    runtime, others = chosen.parent / "run", chosen.parent / "tmp"
    for place in (runtime, others):
        place.mkdir(parents=True)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    monkeypatch.setattr(tempfile, "tempdir", str(others))
    monkeypatch.setattr(state, "why_not_writable", lambda folder: "full" if folder == chosen else "")
    os.chown(open_state().broker_dir.parent, 4711, 4711)
    assert open_state().broker_dir.is_relative_to(others)


def test_a_file_that_root_left_in_a_users_folder_is_named_with_the_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_root("leave a file in a folder of another user")
    folder = tmp_path / "state"
    for place in (folder, folder / "locks"):
        place.mkdir(mode=0o700)
        os.chown(place, NOBODY, NOBODY)
    (folder / "locks/device a.lock").touch()

    def open_it(tmp: Path) -> None:
        monkeypatch.setenv("SEGFLEET_STATE", str(tmp / "state"))
        with pytest.raises(CatalogError, match=r"locks/device a\.lock belongs to another user") as caught:
            open_state()
        assert f"sudo chown -R {NOBODY}:{NOBODY} " in caught.value.hint

    as_nobody(tmp_path, open_it)
