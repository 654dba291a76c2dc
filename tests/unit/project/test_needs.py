"""A test that cannot run says so in one way, and not at all where CI runs."""

from __future__ import annotations

import re

import pytest

from kit.needs import need, need_tools
from kit.repository import REPOSITORY

OTHER_WAYS = re.compile(r"pytest\.(skip|importorskip)\b|mark\.skip(if)?\b|mark\.xfail\b")


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_what_is_missing_skips_a_test_and_fails_it_in_ci(
    ci: str, outcome: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", ci)
    need(True, "nothing")
    with pytest.raises(outcome, match="not installed: no-such-program"):
        need_tools("sh", "no-such-program")


def test_no_test_is_skipped_in_another_way() -> None:
    tests = REPOSITORY / "tests"
    files = set(tests.rglob("*.py")) - {tests / "kit/needs.py", tests / "unit/project/test_needs.py"}
    assert [str(path.relative_to(tests)) for path in sorted(files) if OTHER_WAYS.search(path.read_text())] == []
