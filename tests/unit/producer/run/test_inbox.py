"""The queue that a run's receipts come to."""

from __future__ import annotations

import re

import pytest

from producer.run.session import _inbox

RUN = "0123456789ab" + "0" * 20


@pytest.mark.parametrize("volume", ["home", "naïve", "na\udcefve", "a/b", "x" * 1000])
def test_a_manager_finds_what_came_for_a_volume_again_whatever_its_name(volume: str) -> None:
    queue = _inbox("m", volume, RUN)

    assert queue == _inbox("m", volume, "f" * 32)
    assert re.fullmatch(r"manager\.m\W[0-9a-f]{8}", queue)
    assert queue != _inbox("m", volume + "2", RUN)


def test_a_run_that_no_manager_goes_on_with_has_an_inbox_of_its_own() -> None:
    assert _inbox("", "home", RUN).endswith("0123456789ab")
    assert _inbox("m", "", RUN).endswith("0123456789ab")
    assert _inbox("", "home", RUN) != _inbox("m", "", RUN)
