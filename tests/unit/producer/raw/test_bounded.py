"""Programs that say too much, or nothing for too long, are ended."""

from __future__ import annotations

import os
import sys

import pytest

from producer.raw.bounded import OutOfBoundsError, run_bounded


def run(script: str, *, limit_s: float = 60, most_bytes: int = 100_000) -> tuple[int, bytes, bytes]:
    done = run_bounded([sys.executable, "-c", script], os.environ, limit_s=limit_s, most_bytes=most_bytes)
    return done.returncode, done.stdout, done.stderr


def test_what_a_program_says_and_how_it_ends_is_returned() -> None:
    assert run("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)") == (3, b"out\n", b"err\n")


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_program_that_never_stops_to_talk_is_ended(stream: str) -> None:
    with pytest.raises(OutOfBoundsError, match="prints more than 100000 bytes"):
        run(f"import sys\nwhile True: sys.{stream}.write('x' * 1000)")


def test_a_program_that_hangs_is_ended() -> None:
    with pytest.raises(OutOfBoundsError, match="too long"):
        run("import time; time.sleep(1000)", limit_s=1)
