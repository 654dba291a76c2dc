"""What must hold before a run starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from producer.requests import Exclusions, Source
from producer.run.kept_out import is_kept_out
from producer.run.preflight import (
    KeptOut,
    check_apart,
    check_devices,
    check_mounts,
    check_sources,
    check_target,
    notes_about,
)
from tasks.errors import NotMountedError, UsageError


def only(path: str) -> KeptOut:
    return lambda _, inner: inner == Path(path)


HOME = Source(name="home", path=Path("/home"))


def test_one_source_inside_another_is_refused_whatever_the_order() -> None:
    inner = Source(name="me", path=Path("/home/me"))
    for sources in ((HOME, inner), (inner, HOME)):
        with pytest.raises(UsageError, match="source /home/me lies inside source /home"):
            check_sources(sources)


def test_a_source_that_the_walk_of_another_does_not_enter_may_be_named_beside_it() -> None:
    root = Source(name="root", path=Path("/"))
    check_sources((root, HOME), only("/home"))
    with pytest.raises(UsageError) as refusal:
        check_sources((root, HOME), only("/var"))
    assert "-e /home/" in refusal.value.hint
    with pytest.raises(UsageError, match="named twice"):
        check_sources((HOME, HOME), only("/home"))


@pytest.mark.parametrize("pattern", ["/mnt/", "/mnt/a/", "/mnt/a", "/mnt/*", "mnt", "a/"])
def test_what_a_pattern_excludes_with_all_below_is_kept_out(pattern: str) -> None:
    root = Source(name="root", path=Path("/"))
    assert is_kept_out(root, Path("/mnt/a"), Exclusions(patterns=(pattern,)))


@pytest.mark.parametrize("patterns", [(), ("/mnt/b/",), ("/mnt/a/*",), ("/mnt/a/", "!/mnt/a/"), ("/",)])
def test_what_no_pattern_excludes_is_not_kept_out(patterns: tuple[str, ...]) -> None:
    root = Source(name="root", path=Path("/"))
    assert not is_kept_out(root, Path("/mnt/a"), Exclusions(patterns=patterns))


def test_no_pattern_keeps_the_source_out_of_itself() -> None:
    assert not is_kept_out(HOME, Path("/home"), Exclusions(patterns=("*",)))


def test_with_x_a_folder_of_another_file_system_is_kept_out(tmp_path: Path) -> None:
    root = Source(name="root", path=Path("/"))
    assert is_kept_out(root, Path("/proc"), Exclusions(one_file_system=True))
    assert not is_kept_out(root, Path("/proc"), Exclusions())
    (tmp_path / "inner").mkdir()
    assert not is_kept_out(Source(name="s", path=tmp_path), tmp_path / "inner", Exclusions(one_file_system=True))


def test_a_mount_is_required_where_one_is(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/proc")
    check_mounts([Path("/proc"), Path("/proc/"), tmp_path / "link"])
    for path in (tmp_path, tmp_path / "gone", Path("/proc/self")):
        with pytest.raises(NotMountedError, match=f"nothing is mounted on {path}"):
            check_mounts([path])


def test_one_source_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="named twice"):
        check_sources((HOME, Source(name="home-2", path=Path("/home"))))


def test_a_common_beginning_of_names_is_no_nesting() -> None:
    check_sources((HOME, Source(name="home2", path=Path("/home2"))))
    check_devices({"a": Path("/mnt/a"), "b": Path("/mnt/ab")})


def test_no_device_is_refused_and_one_is_worth_a_note() -> None:
    with pytest.raises(UsageError, match="no device"):
        check_devices({})
    check_devices({"a": Path("/mnt/a")})
    assert notes_about({"a": Path("/mnt/a")}) == ["there is only one device: nothing is striped"]
    assert notes_about({"a": Path("/mnt/a"), "b": Path("/mnt/b")}) == []


@pytest.mark.parametrize("pattern", ["/home/me/cache", "!/home/me"])
def test_a_pattern_that_is_an_absolute_path_into_the_source_is_worth_a_note(pattern: str) -> None:
    [note] = notes_about({}, [HOME, Source(name="var", path=Path("/var"))], [pattern])
    assert note.startswith(f"pattern {pattern} is relative to the source /home; for /home/me")


@pytest.mark.parametrize("pattern", ["/me/cache", "home/me", "/homework/me", "/home", "/home/"])
def test_other_patterns_are_not(pattern: str) -> None:
    assert notes_about({}, [HOME, Source(name="root", path=Path("/"))], [pattern]) == []


def test_one_folder_under_two_device_names_is_refused() -> None:
    with pytest.raises(UsageError, match="devices a and b are the same folder /mnt/a"):
        check_devices({"a": Path("/mnt/a"), "b": Path("/mnt/a")})


def test_a_device_inside_another_is_refused() -> None:
    with pytest.raises(UsageError, match=r"device b \(/mnt/a/b\) lies inside device a \(/mnt/a\)"):
        check_devices({"a": Path("/mnt/a"), "b": Path("/mnt/a/b")})


@pytest.mark.parametrize("device", [Path("/home"), Path("/home/me/backup")])
def test_a_device_inside_a_source_is_refused(device: Path) -> None:
    with pytest.raises(UsageError) as refusal:
        check_apart([HOME], {"a": device})
    assert "a backup must not contain itself" in refusal.value.hint


def test_a_source_inside_a_device_is_refused() -> None:
    with pytest.raises(UsageError, match="source /mnt/a/data lies inside device a"):
        check_apart([Source(name="data", path=Path("/mnt/a/data"))], {"a": Path("/mnt/a")})


def test_a_device_inside_a_source_may_be_on_a_file_system_that_is_not_entered() -> None:
    root = Source(name="root", path=Path("/"))
    check_apart([root], {"a": Path("/mnt/a")}, only("/mnt/a"))
    with pytest.raises(UsageError):
        check_apart([root], {"a": Path("/mnt/a"), "b": Path("/mnt/b")}, only("/mnt/a"))


def test_a_target_inside_a_device_is_refused() -> None:
    check_target(Path("/restored"), {"a": Path("/mnt/a")})
    with pytest.raises(UsageError, match="--target /mnt/a/x lies inside device a"):
        check_target(Path("/mnt/a/x"), {"a": Path("/mnt/a")})


def test_a_device_inside_the_target_is_allowed() -> None:
    check_target(Path("/"), {"a": Path("/mnt/a")})
