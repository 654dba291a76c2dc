"""Empty files are looked at by the workers, once all else is stored: what cannot be confirmed is a trouble."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from msgspec.structs import replace

from kit.models.offline import Answer, Devices, Offline, backup_request
from kit.tree import Tree
from producer.backup.sealing.seal import seal
from producer.backup.storing.prepare import prepare_storing
from producer.catalog.catalog import Catalog
from tasks.errors import Reason
from tasks.orders import ConfirmEmpty, Order, StoreSegment
from tasks.receipts import EmptyResult, ExtentNote, Failure

NO_SOURCE = Failure(reason=Reason.SOURCE, code="source", message="source data: not mounted")
WRITTEN = EmptyResult(notes=(ExtentNote(index=1, trouble="changed", read_bytes=0, message="has 1 byte"),))
NOTHING = EmptyResult(notes=())


class Lookers(Devices):
    def __init__(self, sources: Mapping[str, Path], answers: Mapping[str, Answer]) -> None:
        super().__init__(sources)
        self._answers = answers

    def answer(self, order: Order) -> Answer:
        return self._answers[order.device] if isinstance(order, ConfirmEmpty) else super().answer(order)


def back_up(catalog: Catalog, folder: Path, answers: Mapping[str, Answer], names: str = "a b") -> Offline:
    source = Tree({"data": b"1", "d/empty 1": b"", "d/empty 2": b"", "last": b"2"}).make(folder / "data")
    run = Offline(catalog, names.split(), Lookers({"data": source}, answers))
    request = backup_request({"data": source}, names)
    intake = run.plan(request)
    prepare_storing(run.session, request, intake, run.state).run()
    return run


def troubles(run: Offline) -> list[tuple[str, str]]:
    rows = run.catalog.troubles.all(run.state.snapshot_id)
    assert [row.path for row in rows] == [trouble.path for trouble in run.observer.troubles]
    return [(row.code, Path(row.path).name) for row in rows]


def test_empty_files_are_looked_at_after_all_else_and_once(catalog: Catalog, tmp_path: Path) -> None:
    run = back_up(catalog, tmp_path, dict.fromkeys("ab", NOTHING))

    assert troubles(run) == []
    looks = [order for order in run.wires.sent if isinstance(order, ConfirmEmpty)]
    assert [order.paths for order in looks] == [("d/empty 1", "d/empty 2")]
    last_store = max(at for at, order in enumerate(run.wires.sent) if isinstance(order, StoreSegment))
    assert run.wires.sent.index(looks[0]) > last_store


def test_what_was_written_meanwhile_is_a_trouble_of_that_file(catalog: Catalog, tmp_path: Path) -> None:
    assert troubles(back_up(catalog, tmp_path, dict.fromkeys("ab", WRITTEN))) == [("changed", "empty 2")]


@pytest.mark.parametrize("blind", ["a", "b"])
def test_where_one_worker_cannot_look_another_one_does(catalog: Catalog, tmp_path: Path, blind: str) -> None:
    answers = {"a": WRITTEN, "b": WRITTEN, blind: NO_SOURCE}

    assert troubles(back_up(catalog, tmp_path, answers)) == [("changed", "empty 2")]


def test_what_nobody_could_look_at_is_named(catalog: Catalog, tmp_path: Path) -> None:
    run = back_up(catalog, tmp_path, dict.fromkeys("ab", NO_SOURCE))

    assert troubles(run) == [("unreadable", "empty 1"), ("unreadable", "empty 2")]


def test_what_is_unchanged_is_not_looked_at_again_unless_it_was_not_confirmed(catalog: Catalog, tmp_path: Path) -> None:
    source = Tree({"data": b"1", "empty 1": b"", "empty 2": b"", "empty 3": b""}).make(tmp_path / "data")
    answers: dict[str, Answer] = {}
    devices, looks = Lookers({"data": source}, answers), []
    for answers["a"] in (WRITTEN, NOTHING, NOTHING):
        run = Offline(catalog, ["a"], devices)
        for file in source.iterdir():
            # Long before the backup: so the next one takes them as unchanged.
            os.utime(file, (10**9, 10**9))
        request = replace(backup_request({"data": source}, "a"), ignore_ctime=True, expect_ratio=1.0)
        intake = run.plan(request)
        prepare_storing(run.session, request, intake, run.state).run()
        seal(run.session, catalog.snapshots.get(run.state.snapshot_id), request.plan, run.state.members)
        looks.append([order.paths for order in run.wires.sent if isinstance(order, ConfirmEmpty)])

    # The second one found it empty: then nobody doubts it any more.
    assert looks == [[("empty 1", "empty 2", "empty 3")], [("empty 2",)], []]
