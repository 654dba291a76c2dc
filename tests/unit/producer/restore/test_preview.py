"""``--dry-run``: says what a restore would do, and changes nothing anywhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.compare import look_at
from kit.flags import flags_at, set_flags
from kit.models.in_process import InProcess, in_process
from kit.needs import need
from kit.tree import MTIME_NS, Entry, File, Folder, HardLink, Symlink, Tree, noise
from tasks.errors import TargetNotEmptyError
from tasks.orders import DescribeDevice, GetManifest
from tasks.orders.target_looks import FindSurplus, PreviewEntries

SOURCE: dict[str, Entry | bytes] = {
    "docs/one": b"one",
    "docs/two": b"two",
    "large": noise(150_000),
    "other name": HardLink("large"),
    "link": Symlink("x"),
    "empty": Folder(),
}


@pytest.fixture
def made(tmp_path: Path) -> Iterator[InProcess]:
    with in_process(tmp_path) as made:
        made.back_up({"data": Tree(SOURCE).make(tmp_path / "data")})
        yield made


def test_into_a_missing_target_all_is_new_and_the_target_stays_missing(made: InProcess) -> None:
    actions, summary = made.preview()
    assert set(actions.values()) == {"new"}
    assert actions.keys() == {f"data/{path}" for path in SOURCE} | {"data", "data/docs"}
    assert (summary.new, summary.bytes, summary.exit_code) == (len(actions), 150_006, 0)
    assert not made.target.exists()


def test_it_says_what_the_restore_then_does_and_touches_nothing(made: InProcess) -> None:
    made.restore()
    (made.target / "data/docs/one").write_bytes(b"changed")
    (made.target / "data/docs/two").chmod(0o600)
    (made.target / "data/link").unlink()
    (made.target / "data/new").mkdir()
    (made.target / "data/new/mine").write_bytes(b"mine")
    before = look_at(made.target)
    actions, summary = made.preview(overwrite="if-changed", delete=True)
    assert look_at(made.target) == before
    assert actions == {
        "data": "mended",
        "data/docs": "mended",
        "data/empty": "mended",
        "data/docs/one": "replaced",
        "data/docs/two": "mended",
        "data/large": "kept",
        "data/other name": "kept",
        "data/link": "new",
        "data/new": "removed",
        "data/new/mine": "removed",
    }
    assert {type(order) for order in made.orders} <= {DescribeDevice, GetManifest, PreviewEntries, FindSurplus}
    assert summary.removed == made.restore(overwrite="if-changed", delete=True).removed == 2


@pytest.mark.parametrize("overwrite", ["never", "if-newer"])
def test_what_is_kept_keeps_its_flags_and_what_is_restored_beside_it_gets_those_of_the_snapshot(
    tmp_path: Path, overwrite: str
) -> None:
    (tmp_path / "probe").write_bytes(b"")
    try:
        set_flags(tmp_path / "probe", "d")
    except OSError as error:
        need(False, f"no file flags in temporary files: {error}")
    tree = {name: File(name.encode(), flags="d") for name in ("kept", "gone", "folder/gone too")}
    with in_process(tmp_path) as made:
        made.back_up({"data": Tree({**tree, "folder": Folder(flags="d")}).make(tmp_path / "data")})
        made.target.mkdir()
        Tree({"kept": File(b"newer", mtime_ns=MTIME_NS + 10**12)}).make(made.target / "data")
        assert made.restore(overwrite=overwrite).not_kept == {}
        found = {path: flags_at(os.fsencode(made.target / "data" / path)) for path in (*tree, "folder")}
    assert found == {"kept": "", "gone": "d", "folder/gone too": "d", "folder": "d"}


def test_only_what_is_selected_is_shown(made: InProcess) -> None:
    actions, _ = made.preview("data/docs", include=("o*",), exclude=("two",))
    assert actions == {"one": "new"}


def test_a_target_that_must_be_empty_is_refused_as_by_the_restore(made: InProcess) -> None:
    made.target.mkdir()
    (made.target / "mine").write_bytes(b"")
    with pytest.raises(Exception, match="not empty") as error:
        made.preview()
    assert getattr(error.value, "code", "") == TargetNotEmptyError.code


def test_a_target_that_nobody_may_write_to_is_good_enough(made: InProcess) -> None:
    made.restore()
    (made.target / "data").chmod(0o555)
    actions, summary = made.preview(overwrite="always")
    assert actions["data/large"] == "replaced"
    assert summary.exit_code == 0
