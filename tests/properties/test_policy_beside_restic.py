"""The policy keeps what ``restic forget`` keeps, for the same reasons.

One repository holds snapshots of many times; each history is those with its tag.  Two differences are known:

- Releases before 0.16 do not keep the oldest snapshot for a rule with counts left; later ones and segfleet do.
- restic reads the hours, days and weeks of a snapshot on the clock of the host that made it, segfleet in UTC.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kit.needs import program
from producer.requests import Retention
from producer.retention.policy import Candidate, decide

HISTORIES_COUNT = 200
TIMES_COUNT = 120
PERIODS = ("hourly", "daily", "weekly", "monthly", "yearly")
NOW = datetime.now(UTC)


class Restic:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # In UTC, as segfleet reads times.
        settings = {"RESTIC_REPOSITORY": str(folder / "repository"), "RESTIC_PASSWORD": "p", "TZ": "UTC"}
        self._environment = {**os.environ, **settings, "RESTIC_CACHE_DIR": str(folder / "cache")}
        (folder / "data").mkdir()
        self.run("init")

    def run(self, *arguments: str) -> str:
        command = [program("restic"), *arguments]
        done = subprocess.run(
            command, cwd=self._folder, env=self._environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def back_up(self, candidate: Candidate) -> None:
        self.run("backup", "data", "--time", f"{candidate.at:%Y-%m-%d %H:%M:%S}", "--tag", ",".join(candidate.tags))

    def kept(self, history: str, retention: Retention) -> dict[datetime, set[str]]:
        rules = [f"--keep-{period}={count}" for period, count in retention.counts.items()]
        rules += [f"--keep-within{'' if p == 'all' else f'-{p}'}={span}" for p, span in retention.within.items()]
        rules += [f"--keep-tag={tag}" for tag in retention.tags]
        (group,) = json.loads(
            self.run("forget", "--json", "--dry-run", "--no-lock", "--group-by", "", "--tag", history, *rules)
        )
        return {
            datetime.fromisoformat(row["snapshot"]["time"]): {_in_our_words(match) for match in row["matches"]}
            for row in group["reasons"]
        }


def _in_our_words(match: str) -> str:
    return match.replace("has tags [", "has tag ").removesuffix("]")


def times(chance: random.Random) -> list[datetime]:
    """Some close together, some far apart, each at another second."""
    ages_s = {int(10 ** chance.uniform(2, 8.3)) for _ in range(2 * TIMES_COUNT)}
    begin = NOW.replace(microsecond=0)
    return [begin - timedelta(seconds=age_s) for age_s in chance.sample(sorted(ages_s), TIMES_COUNT)]


def policy(chance: random.Random) -> Retention:
    counts = {p: chance.randint(1, 12) for p in ("last", *PERIODS) if chance.random() < 0.3}
    within = {p: _span(chance) for p in ("all", *PERIODS) if chance.random() < 0.2}
    tags = ("keep",) if chance.random() < 0.2 else ()
    return Retention(counts=counts, within=within, tags=tags) if counts or within else policy(chance)


def _span(chance: random.Random) -> str:
    parts = (f"{chance.randint(1, most)}{unit}" for unit, most in (("y", 3), ("m", 14), ("d", 40), ("h", 50)))
    return "".join(part for part in parts if chance.random() < 0.4) or "9d"


def without_oldest(found: Mapping[datetime, set[str]]) -> dict[datetime, set[str]]:
    """As releases before 0.16 decide."""
    left = {at: {reason for reason in reasons if not reason.startswith("oldest")} for at, reasons in found.items()}
    return {at: reasons for at, reasons in left.items() if reasons}


def ours(history: Sequence[Candidate], retention: Retention) -> dict[datetime, set[str]]:
    at = {candidate.snapshot_id: candidate.at for candidate in history}
    verdicts = decide(history, retention, NOW)
    return {at[verdict.snapshot_id]: set(verdict.reasons) for verdict in verdicts if verdict.reasons}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_200_histories_are_kept_as_restic_keeps_them(tmp_path: Path) -> None:
    chance = random.Random(7)
    restic = Restic(tmp_path)
    members: dict[datetime, set[str]] = {at: set() for at in times(chance)}
    histories = [f"h{number}" for number in range(HISTORIES_COUNT)]
    for name in histories:
        for at in chance.sample(sorted(members), chance.randint(1, 40)):
            members[at].add(name)
    candidates = [
        Candidate(snapshot_id=at.isoformat(), at=at, tags=(*sorted(names), *(["keep"] if number % 9 == 0 else ())))
        for number, (at, names) in enumerate(members.items())
        if names
    ]
    for candidate in candidates:
        restic.back_up(candidate)
    keeps_oldest = restic.run("version").split()[1] >= "0.16"
    differing_count = 0
    for name in histories:
        retention = policy(chance)
        found = ours([candidate for candidate in candidates if name in candidate.tags], retention)
        assert restic.kept(name, retention) == (found if keeps_oldest else without_oldest(found)), (name, retention)
        differing_count += found != without_oldest(found)
    # The difference is not the rule.
    assert differing_count < HISTORIES_COUNT / 2
