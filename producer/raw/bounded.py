"""Runs a program that reads what a stranger may have written: bounded in time, and in what it says."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections.abc import Mapping, Sequence


class OutOfBoundsError(Exception):
    """The program took too long, or printed too much; the text says which."""


def run_bounded(
    command: Sequence[str], environment: Mapping[str, str], *, limit_s: float, most_bytes: int
) -> subprocess.CompletedProcess[bytes]:
    """The program's exit code, output and complaints.  Raises OutOfBoundsError, after ending it; and OSError."""
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(command, stdin=nothing, stdout=pipe, stderr=pipe, env=environment) as process:
        try:
            end_s = time.monotonic() + limit_s
            output, complaints = _read(process, end_s, most_bytes)
            process.wait(max(0.1, end_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            raise OutOfBoundsError("it takes too long") from None
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(command, process.returncode, output, complaints)


def _read(process: subprocess.Popen[bytes], end_s: float, most_bytes: int) -> tuple[bytes, bytes]:
    assert process.stdout is not None
    assert process.stderr is not None
    read = {process.stdout.fileno(): bytearray(), process.stderr.fileno(): bytearray()}
    with selectors.DefaultSelector() as selector:
        for descriptor in read:
            selector.register(descriptor, selectors.EVENT_READ)
        while selector.get_map():
            left_s = end_s - time.monotonic()
            if left_s <= 0:
                raise OutOfBoundsError("it takes too long")
            for key, _ in selector.select(left_s):
                part = os.read(key.fd, 1024 * 1024)
                read[key.fd] += part
                if not part:
                    selector.unregister(key.fd)
            if sum(map(len, read.values())) > most_bytes:
                raise OutOfBoundsError(f"it prints more than {most_bytes} bytes")
    output, complaints = map(bytes, read.values())
    return output, complaints
