"""A test that cannot run says so in one way, and not at all where CI runs."""

from __future__ import annotations

import pytest

from kit.needs import need, need_tools


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_what_is_missing_skips_a_test_and_fails_it_in_ci(
    ci: str, outcome: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", ci)
    need(True, "nothing")
    with pytest.raises(outcome, match="not installed: no-such-program"):
        need_tools("sh", "no-such-program")
