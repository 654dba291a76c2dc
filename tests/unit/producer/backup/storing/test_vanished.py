"""Files that one agent does not find count as vanished only when another one does not find them either."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

from kit.models.offline import Answer, Devices, Offline, backup_request
from kit.tree import Tree
from producer.backup.intake.intake import Intake
from producer.backup.storing.prepare import prepare_storing
from producer.backup.whole.vanished_sources import refuse_vanished_sources
from producer.catalog.catalog import Catalog
from tasks.errors import EmptySourceError
from tasks.orders import Order, StoreSegment
from tasks.receipts import ExtentNote

NAMES = [f"{number:02}" for number in range(12)]


class Agents(Devices):
    """Each device has an agent of its own, which does not find the files that ``blind`` says."""

    def __init__(self, sources: dict[str, Path], blind: dict[str, Collection[str]]) -> None:
        super().__init__(sources)
        self.blind = blind

    def answer(self, order: Order) -> Answer:
        if not isinstance(order, StoreSegment):
            return super().answer(order)
        missing = [at for at, path in enumerate(order.extents.paths) if path in self.blind.get(order.device, ())]
        notes = [ExtentNote(index=at, trouble="vanished", read_bytes=0, message="gone") for at in missing]
        self.segments[order.device][order.object_id] = order
        return self.stored(order, notes=tuple(notes))


@pytest.fixture
def source(tmp_path: Path) -> dict[str, Path]:
    return {"data": Tree(dict.fromkeys(NAMES, b"1" * 1000)).make(tmp_path / "data")}


def back_up(
    catalog: Catalog,
    source: dict[str, Path],
    agents: Agents,
    monkeypatch: pytest.MonkeyPatch,
    *,
    shared: bool = True,
) -> tuple[Offline, Intake]:
    run = Offline(catalog, ["a", "b"], agents)
    monkeypatch.setattr(run.processes, "is_shared", lambda device: shared)
    request = backup_request(source)
    intake = run.plan(request)
    prepare_storing(run.session, request, intake, run.state).run()
    return run, intake


def vanished(run: Offline, intake: Intake) -> list[str]:
    troubles = run.catalog.troubles.all(intake.snapshot_id)
    return sorted(Path(row.path).name for row in troubles if row.code == "vanished")


@pytest.mark.parametrize("device", ["a", "b"])
def test_what_another_agent_finds_has_not_vanished(
    catalog: Catalog, source: dict[str, Path], device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, intake = back_up(catalog, source, Agents(source, {device: NAMES}), monkeypatch)

    other = {"a": "b", "b": "a"}[device]
    assert vanished(run, intake) == []
    assert {row.device for row in catalog.segments.stored(intake.snapshot_id)} == {other}
    assert [note for note in run.observer.notes if f"device {device}: its worker does not find files" in note]


def test_what_no_agent_finds_has_vanished_and_stays_where_most_was_found(
    catalog: Catalog, source: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    agents = Agents(source, {"a": ["03"], "b": ["03", "04", "05", "06"]})
    run, intake = back_up(catalog, source, agents, monkeypatch)

    assert vanished(run, intake) == ["03"]
    assert all(
        run.state.load_bytes(name)
        == sum(row.size_bytes for row in catalog.segments.stored(intake.snapshot_id) if row.device == name)
        for name in ("a", "b")
    )


def test_workers_of_one_command_see_the_same_and_are_asked_once(
    catalog: Catalog, source: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    agents = Agents(source, {"a": NAMES, "b": NAMES})
    run, intake = back_up(catalog, source, agents, monkeypatch, shared=False)

    stores = [order for order in run.wires.sent if isinstance(order, StoreSegment)]
    assert len(stores) == len(list(catalog.segments.stored(intake.snapshot_id)))
    assert vanished(run, intake) == NAMES


def test_a_source_of_which_every_file_vanished_is_refused_and_planned_again(
    catalog: Catalog, source: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    agents = Agents(source, {"a": NAMES, "b": NAMES})
    run, intake = back_up(catalog, source, agents, monkeypatch)

    with pytest.raises(EmptySourceError, match="all 12 files of source data"):
        refuse_vanished_sources(catalog, backup_request(source), intake, run.state)

    assert vanished(run, intake) == []
    assert {row.state for row in catalog.segments.valid(intake.snapshot_id)} == {"planned"}
    agents.blind = {}
    again, resumed = back_up(catalog, source, agents, monkeypatch)
    assert resumed.snapshot_id == intake.snapshot_id
    refuse_vanished_sources(catalog, backup_request(source), resumed, again.state)
