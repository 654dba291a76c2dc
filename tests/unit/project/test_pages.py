"""The pages for those who change the code name only what is there."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from kit.repository import REPOSITORY

PAGES = ["docs/architecture.md", "CONTRIBUTING.md"]
#: Rooms of capabilities to come.
_TO_COME = re.compile(r"^Next capabilities.*?(?=^`backup`)", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_every_path_of_a_page_exists(page: str) -> None:
    text = _TO_COME.sub("", (REPOSITORY / page).read_text())
    paths = re.findall(r"`((?:producer|workers|tasks|tests|docs|benchmarks|changelog\.d)/[\w./+-]*)`", text)
    # Words in capitals stand for a name: producer/cli/commands/GROUP/NAME.py.
    paths = [re.sub(r"[A-Z]{2,}.*", "", path) for path in paths]
    assert paths
    assert [path for path in paths if not (REPOSITORY / path).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_leads_to_a_file(page: str) -> None:
    folder = (REPOSITORY / page).parent
    links = re.findall(r"\]\(([^)#:]+)(?:#[\w-]*)?\)", (REPOSITORY / page).read_text())
    assert links
    assert [link for link in links if not (folder / link).exists()] == []


def test_no_page_has_marks_of_an_unfinished_merge() -> None:
    pages = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *REPOSITORY.glob("docs/**/*.md")]
    assert len(pages) > 30
    assert [page.name for page in pages if re.search(r"^(<{7}|={7}|>{7})", page.read_text(), re.MULTILINE)] == []


def test_the_drawing_of_the_rooms_shows_the_imports_of_today() -> None:
    command = [sys.executable, str(REPOSITORY / "docs/rooms.py"), "--check"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
