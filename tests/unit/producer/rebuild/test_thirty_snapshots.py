"""After a rebuild the commands answer as before, over a long history: forgotten snapshots and pruned segments too."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kit.models.in_process import CATALOG, InProcess, in_process
from kit.models.pruned_pool import Pool
from producer.catalog.catalog import Catalog
from producer.cli.main import run
from producer.requests import RepackLimits
from tasks.orders import GetManifest, Order

SNAPSHOTS_COUNT = 30
NONE_UNUSED = RepackLimits(max_unused_percent=0.0)

#: What the commands print of the catalog in a folder.
Answers = Callable[..., list[bytes]]


class Crash(Exception):
    """The process ends here."""


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    """Thirty backups, of which some are forgotten, and pruned, in the middle and at the end."""
    with in_process(tmp_path_factory.mktemp("pool")) as made:
        found, chance = Pool(made.folder, made), random.Random(1)
        for name in ("one", "folder/two", "folder/deep/three"):
            found.write(name, 3_000)
        ids = list[str]()
        for day in range(SNAPSHOTS_COUNT):
            found.write(f"folder/new{chance.randrange(9)}", chance.randrange(1, 9_000))
            (found.source / f"gone{day}").write_bytes(b"x" * day)
            (found.source / f"gone{day - 3}").unlink(missing_ok=True)
            # What they are to have is in the answers.
            made.back_up({"data": found.source}, copies=1 + (day > 20))
            ids.append(made.catalog.snapshots.find("latest").snapshot_id)
            if day == SNAPSHOTS_COUNT // 2:
                found.forget(*ids[::3])
                made.prune(limits=NONE_UNUSED)
        found.forget(*ids[16::5])
        made.prune(limits=NONE_UNUSED)
        yield found


@pytest.fixture
def again(pool: Pool, tmp_path: Path) -> Iterator[InProcess]:
    """The same devices, with a new catalog."""
    with Catalog(tmp_path / CATALOG) as catalog:
        made = InProcess(tmp_path, catalog)
        made.folder = pool.folder
        yield made


@pytest.fixture
def answers(pool: Pool, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Answers:
    rows = pool.catalog.snapshots.all()
    first, middle, last = (rows[at].snapshot_id for at in (0, len(rows) // 2 + 1, -1))

    def ask(folder: Path, *words: str) -> bytes:
        (folder / "segfleet.toml").touch(0o600)
        monkeypatch.setenv("SEGFLEET_STATE", str((folder / CATALOG).parent))
        monkeypatch.setenv("SEGFLEET_CONFIG", str(folder / "segfleet.toml"))
        capsysbinary.readouterr()
        assert run(words) == 0
        return capsysbinary.readouterr().out

    def ask_all(folder: Path, *, of_all: bool = True) -> list[bytes]:
        """``of_all``: also what depends on all devices and all manifests."""
        words = [("ls", first, "--json"), ("ls", middle), ("diff", first, last), ("diff", middle, last, "--json")]
        if of_all:
            words += [("snapshots", "--json"), ("stats",), ("stats", "--json")]
        found = [ask(folder, *one) for one in words]
        assert all(found)
        return found

    return ask_all


def test_all_commands_answer_as_before_and_nothing_that_was_forgotten_comes_back(
    pool: Pool, again: InProcess, answers: Answers, tmp_path: Path
) -> None:
    assert again.rebuild().errors == 0

    kept = [row.snapshot_id for row in pool.catalog.snapshots.all()]
    assert len(kept) < SNAPSHOTS_COUNT
    assert [row.snapshot_id for row in again.catalog.snapshots.all()] == kept
    assert answers(tmp_path) == answers(pool.folder)


def test_a_rebuild_that_dies_is_run_again(pool: Pool, again: InProcess, answers: Answers, tmp_path: Path) -> None:
    for limit in (1, 25, 60):
        left = iter(range(limit))

        def crash(order: Order, left: Iterator[int] = left) -> None:
            if isinstance(order, GetManifest) and next(left, None) is None:
                raise Crash

        again.before = crash
        with pytest.raises(Crash):
            again.rebuild()
    again.before = lambda order: None

    again.rebuild()

    assert answers(tmp_path) == answers(pool.folder)


@pytest.mark.parametrize("name", ["a", "b"])
def test_with_a_device_missing_the_trees_are_the_same(
    pool: Pool, again: InProcess, answers: Answers, tmp_path: Path, name: str
) -> None:
    away = pool.folder / f"away-{name}"
    pool.device(name).rename(away)
    try:
        again.rebuild()
    finally:
        away.rename(pool.device(name))

    assert answers(tmp_path, of_all=False) == answers(pool.folder, of_all=False)


def test_one_manifest_damaged_everywhere_changes_nothing_of_the_others(
    pool: Pool, again: InProcess, answers: Answers, tmp_path: Path
) -> None:
    rows = pool.catalog.snapshots.all()
    broken = rows[len(rows) // 2].snapshot_id
    files = {path: path.read_bytes() for name in "ab" for path in pool.device(name).glob(f"manifests/{broken}.*")}
    try:
        for path in files:
            path.write_bytes(b"torn")
        assert again.rebuild().exit_code == 3
    finally:
        for path, data in files.items():
            path.write_bytes(data)

    found = {row.snapshot_id for row in again.catalog.snapshots.all() if not row.volume.startswith("recovered-")}
    assert found == {row.snapshot_id for row in rows} - {broken}
    assert answers(tmp_path, of_all=False) == answers(pool.folder, of_all=False)
