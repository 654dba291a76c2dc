"""``requirements.lock`` and the ranges of ``pyproject.toml`` say the same."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from kit.repository import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
DIRECT = [Requirement(text) for text in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["test"]]
#: One package each: its first line, then those of its hashes.
LOCKED = re.split(r"\n(?=\S)", (REPOSITORY / "requirements.lock").read_text().strip())
VERSIONS = {
    canonicalize_name(name): version
    for name, version in (re.split(r"\s*[=;\\]+\s*", block, maxsplit=2)[:2] for block in LOCKED)
}


@pytest.mark.parametrize("requirement", DIRECT, ids=lambda requirement: requirement.name)
def test_the_locked_version_lies_in_the_range(requirement: Requirement) -> None:
    version = VERSIONS[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(version, prereleases=True), version


@pytest.mark.parametrize("block", LOCKED, ids=lambda block: block.partition("=")[0])
def test_every_locked_package_has_one_version_and_hashes(block: str) -> None:
    first, *hashes = [line.strip().removesuffix("\\").strip() for line in block.splitlines()]
    assert re.fullmatch(r"[\w.-]+==[\w.+!]+( ; .+)?", first)
    assert hashes
    assert [line for line in hashes if not re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", line)] == []


def test_no_package_is_locked_twice() -> None:
    assert len(VERSIONS) == len(LOCKED)
