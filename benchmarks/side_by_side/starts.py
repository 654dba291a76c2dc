"""What short commands take from start to exit."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from side_by_side.contenders import Segfleet, program
from side_by_side.measuring import Cost, run
from side_by_side.pairs import Runs, interleaved

#: Command → at most so many seconds.
GOALS_S = {"backup of a small folder": 1.5, "--help": 0.25, "snapshots": 0.25, "ls": 0.25}


def measure_starts(work: Path, rounds_count: int, *, note: Callable[[str], None]) -> dict[str, Runs]:
    """Each backup goes to the same devices: all but the first are what a user has every day."""
    contender = Segfleet(folder=work / "out" / "starts")
    contender.prepare()
    source = work / "small"
    source.mkdir(exist_ok=True)
    for number in range(10):
        (source / f"{number}.txt").write_text(f"note {number}\n" * 100)

    def measured(*command: str) -> Cost:
        return run([program(), *command], env=contender.env, log=work / "last-run.log")

    runs = interleaved(
        {
            "backup of a small folder": lambda: run(
                contender.backup(source, 3), env=contender.env, log=work / "last-run.log"
            ),
            "--help": lambda: measured("--help"),
            "snapshots": lambda: measured("snapshots"),
            "ls": lambda: measured("ls", "latest"),
        },
        rounds_count,
        note=note,
    )
    shutil.rmtree(work / "out", ignore_errors=True)
    return runs
