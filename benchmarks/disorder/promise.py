"""The promise of a backup, proved by restores: every file of a sealed snapshot comes back, or the run has named it."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from disorder.stage import Stage
from kit.compare import Look, look_at
from kit.program.command import Done

#: What a device that hangs may take of a restore's time.
_PATIENCE = {"SEGFLEET_STALL_S": "6", "SEGFLEET_REJOIN_S": "1"}


@dataclass(frozen=True, kw_only=True)
class Sealed:
    """A snapshot that a run has sealed, and the paths in the source that the run has named."""

    snapshot_id: str
    exit_code: int
    named: frozenset[bytes]


def sealed_by(done: Done, source: Path) -> Sealed | None:
    """The snapshot that a backup has sealed; None when it has not come to that."""
    if done.exit_code not in (0, 3):
        return None
    top = os.fsencode(source)
    paths = [os.fsencode(row["path"]) for row in done.errors if row["path"]]
    named = frozenset(os.path.relpath(path, top) for path in paths if path.startswith(top))
    assert bool(done.exit_code) == bool(named), done
    # A large file counts for each device that has a part of it.
    assert len(named) <= sum(lack["files"] for lack in done.summary["incomplete"]) <= done.summary["errors"], done
    return Sealed(snapshot_id=done.summary["snapshot_id"], exit_code=done.exit_code, named=named)


def prove_now(stage: Stage, sealed: Sealed) -> bool:
    """Restore the snapshot from the devices as they are: all comes back but what the run has named.

    Returns whether all of it came back.
    """
    restored = _restore(stage, sealed)
    lost = _lost(stage, restored)
    assert lost <= sealed.named, f"lost and not named: {sorted(lost - sealed.named)}; {restored.done}"
    assert bool(lost) == bool(restored.done.exit_code), restored.done
    return not lost


def prove_later(stage: Stage, sealed: Sealed) -> set[bytes]:
    """Restore it when all devices are right again; returns what is lost: what was deleted, or never stored."""
    restored = _restore(stage, sealed)
    lost = _lost(stage, restored)
    named = {os.fsencode(row["path"]).partition(b"/")[2] for row in restored.done.errors}
    assert lost <= named, f"lost and not named by the restore: {sorted(lost - named)}; {restored.done}"
    if not stage.deleted:
        assert lost <= sealed.named, f"lost though all devices are back: {sorted(lost - sealed.named)}; {restored.done}"
    return lost


@dataclass(frozen=True, kw_only=True)
class _Restored:
    done: Done
    tree: dict[bytes, Look]


def _restore(stage: Stage, sealed: Sealed) -> _Restored:
    scene = stage.scene
    target = Path(tempfile.mkdtemp(dir=scene.machine.folder))
    done = scene.machine.run("restore", sealed.snapshot_id, "--target", target, *scene.flags, "--json", **_PATIENCE)
    assert done.exit_code in (0, 3), done
    assert "Traceback" not in done.stderr, done
    return _Restored(done=done, tree=look_at(target / scene.source.name))


def _lost(stage: Stage, restored: _Restored) -> set[bytes]:
    """The paths that are not there as they were; fails where something else is there instead."""
    before, after = look_at(stage.scene.source), restored.tree
    assert after.keys() <= before.keys(), f"should not be there: {sorted(after.keys() - before.keys())}"
    lost = before.keys() - after.keys()
    kept = {path: _without(before[path], lost) for path in after}
    wrong = sorted(path for path in after if after[path] != kept[path])
    assert not wrong, f"not as they were: {[(path, kept[path], after[path]) for path in wrong]}"
    return lost


def _without(look: Look, lost: set[bytes]) -> Look:
    names = look.names - lost
    return replace(look, names=names if len(names) > 1 else frozenset())
