"""A pool in one process, with a copy of the source for each snapshot: for tests of what forget and prune leave."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kit.models.in_process import InProcess


class Pool:
    """A source, devices, and a copy of the source for each snapshot."""

    def __init__(self, folder: Path, made: InProcess, **plan: Any) -> None:
        """``plan``: of each backup."""
        self.plan = plan
        self.folder, self.made, self.catalog = folder, made, made.catalog
        self.source = folder / "source"
        self.source.mkdir()
        self.copies: dict[str, Path] = {}

    def reopen(self, made: InProcess) -> None:
        """``made``: of the same folder."""
        self.made, self.catalog = made, made.catalog

    def write(self, name: str, size: int = 50_000) -> None:
        """A file of a content of its own."""
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((f"{name}{len(self.copies)}" * size).encode()[:size])

    def back_up(self) -> str:
        self.made.back_up({"data": self.source}, **self.plan)
        snapshot_id = self.catalog.snapshots.find("latest").snapshot_id
        self.copies[snapshot_id] = self.folder / "copies" / snapshot_id
        shutil.copytree(self.source, self.copies[snapshot_id])
        return snapshot_id

    def forget(self, *snapshot_ids: str) -> None:
        with self.catalog.durable_transaction():
            self.catalog.marks.forget(snapshot_ids)

    def check(self) -> None:
        """Every kept snapshot is restored exactly."""
        for row in self.catalog.snapshots.all():
            self.made.target = self.folder / "restored" / row.snapshot_id
            shutil.rmtree(self.made.target, ignore_errors=True)
            assert self.made.restore(snapshot=row.snapshot_id).exit_code == 0
            assert tree(self.made.target / "data") == tree(self.copies[row.snapshot_id])

    def check_without(self, *names: str) -> None:
        """With each of these devices away in turn."""
        for name in names:
            with self.without(name):
                self.check()

    @contextmanager
    def without(self, name: str) -> Iterator[None]:
        """A device is away meanwhile."""
        self.device(name).rename(self.folder / "away")
        try:
            yield
        finally:
            (self.folder / "away").rename(self.device(name))

    def device(self, name: str) -> Path:
        return self.made.device(name)

    def stored(self) -> set[str]:
        """All files on the devices but markers and generations."""
        found = {path.name for name in self.made.devices for path in self.device(name).rglob("*") if path.is_file()}
        return {name for name in found if name != "segfleet.json" and not name.endswith(".generation")}

    def objects(self) -> set[str]:
        """The ids of all objects on the devices."""
        return {name.removesuffix(".seg") for name in self.stored() if name.endswith(".seg")}

    def needed_objects(self) -> set[str]:
        """Of which snapshots need something."""
        trees = [self.catalog.trees.of(row.snapshot_id) for row in self.catalog.snapshots.all()]
        found = self.catalog.objects.of({segment_id for tree in trees for segment_id in tree.parts_of_segments})
        return {row.object_id for rows in found.values() for row in rows}


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
