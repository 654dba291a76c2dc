"""Scripts whose names have no ``.py`` are linted and type-checked as all other code is."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from kit.repository import REPOSITORY

TOOLS = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]


def _is_python_script(path: Path) -> bool:
    return not path.suffix and path.is_file() and path.read_bytes().startswith(b"#!/usr/bin/env python3\n")


SCRIPTS = sorted(
    str(path.relative_to(REPOSITORY))
    for folder in ("benchmarks", "demo", "docker", "docs")
    for path in (REPOSITORY / folder).rglob("*")
    if _is_python_script(path)
)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_without_py_is_linted_and_type_checked(script: str) -> None:
    assert script in TOOLS["ruff"]["extend-include"]
    assert script in TOOLS["mypy"]["files"]
