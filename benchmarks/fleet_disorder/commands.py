"""Commands that are given at the desk."""

from __future__ import annotations

import json
import subprocess
import tempfile
from typing import IO, Any

from fleet_disorder.site import FleetSite


class Command:
    """A command under way."""

    def __init__(self, words: tuple[str, ...], process: subprocess.Popen[bytes], said: IO[bytes]) -> None:
        self.words = words
        self._process = process
        self._said = said

    @property
    def exit_code(self) -> int | None:
        return self._process.poll()

    def wait(self, deadline_s: float) -> int:
        try:
            return self._process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise AssertionError(
                f"{' '.join(self.words)} is still running after {deadline_s:.0f} s: {self.said()}"
            ) from None

    def succeed(self, deadline_s: float) -> Command:
        assert self.wait(deadline_s) == 0, (self.words, self.exit_code, self.said())
        return self

    def said(self) -> str:
        """The last lines of both its outputs."""
        self._said.seek(0)
        return self._said.read().decode(errors="replace")[-3000:]

    def end(self) -> str:
        """Its exit code, with the reason for another one than 0."""
        errors = [row.get("message", "") for row in self.rows() if row.get("message_type") in ("error", "exit_error")]
        return f"{self.exit_code} {errors[-1:] or self.said()[-300:]}" if self.exit_code else "0"

    def rows(self) -> list[dict[str, Any]]:
        self._said.seek(0)
        return [json.loads(line) for line in self._said.read().splitlines() if line.startswith(b"{")]


def give(fleet: FleetSite, *words: str) -> Command:
    """Start a command at the desk."""
    desk = fleet.hosts["desk"]
    said = tempfile.TemporaryFile()  # noqa: SIM115  it lives as long as the command
    process = subprocess.Popen(
        desk.inside("segfleet", *words), env=desk.environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said
    )
    return Command(words, process, said)


def ask(fleet: FleetSite, *words: str, deadline_s: float = 90) -> list[dict[str, Any]]:
    """The lines of JSON of a command that succeeds."""
    return give(fleet, *words, "--json").succeed(deadline_s).rows()
