"""What tests of several folders start: a machine, or a fleet around one broker, of the test's own."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Iterator

import pytest

from kit.program.machine import Machine
from kit.program.machine import machine as new_machine
from kit.services.fleet import Fleet
from kit.services.fleet import fleet as new_fleet
from kit.statements import share_statements

# Compile modules once, as pip does for users, whatever the shell says: the tests start thousands of processes.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

share_statements()

# What is imported and collected stays: the collector would go through all of it, there and in each test, in vain.
gc.disable()

# A shell ignores Ctrl-C for what it starts in the background, nohup ignores SIGHUP; what tests start would inherit it.
for _number, _handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _handler)


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


@pytest.fixture
def machine() -> Iterator[Machine]:
    with new_machine() as made:
        yield made


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    with new_fleet() as made:
        yield made
