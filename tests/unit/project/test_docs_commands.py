"""Each command of segfleet that a page shows is one that the program takes: names, options and values."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from kit.repository import REPOSITORY
from producer.cli.main import segfleet
from tasks.errors import UsageError

PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
#: Fenced, or indented by four after an empty line.
_BLOCK = re.compile(r"^```sh\n(.*?)^```$|(?<=\n\n)((?: {4}\S[^\n]*\n)+)", re.DOTALL | re.MULTILINE)
_HERE_DOCUMENT = re.compile(r"^.*<<'(\w+)'\n.*?^\1$", re.DOTALL | re.MULTILINE)
#: Where a command ends, and what stands for others: synopses have brackets, words in capitals and dots.
_ENDS = {"|", "||", "&&", ";", "&", ">", "2>", ")"}
_SYNOPSIS = re.compile(r"\[|…|\.\.\.|\b[A-Z]{3,}\b|\|")

_DOCS = "tests/end_to_end/docs"
#: Page with commands that are no synopses → the test that runs them.
RUN_BY = {
    **dict.fromkeys(("start-one-machine", "start-nas", "daily", "recovery"), f"{_DOCS}/test_start_pages.py"),
    **dict.fromkeys(
        ("README", "incremental", "locks", "plan", "retention", "schedule", "streams"), f"{_DOCS}/test_other_pages.py"
    ),
    **dict.fromkeys(("cli", "flower", "monitoring", "raw"), f"{_DOCS}/test_reference_pages.py"),
    "start-fleet": f"{_DOCS}/test_start_fleet.py",
    "fleet": "tests/fleet/test_docs_fleet.py",
    # As root, with an engine: no part of the suite.
    "docker": "docker/smoke-test",
}

#: Pages of which a test runs every fenced block of shell, whatever program it calls.
RUN_AS_A_WHOLE = {
    **dict.fromkeys(("start-one-machine", "start-nas", "daily", "recovery"), f"{_DOCS}/test_start_pages.py"),
    "start-fleet": f"{_DOCS}/test_start_fleet.py",
    "fleet": "tests/fleet/test_docs_fleet.py",
    "format": "tests/unit/workers/format/test_by_hand.py",
}
#: The beginnings of all other blocks that call no segfleet → why no test runs them.
NOT_RUN = {
    "make demo": "it makes an environment of its own; `make test` is how the suite is run",
    "pipx install .": "it needs a package index; test_start_pages.py has a stand-in for pipx",
    "pip install --require-hashes": "it needs a package index; test_lock.py looks at the file",
    "cd docker": "it needs an engine; docker/smoke-test runs it as root",
    "docker compose --profile monitoring": "it needs an engine, and images of others",
    "docker compose up --detach --no-recreate": "it needs an engine; docker/smoke-test runs it as root",
    "docker/fetch-wheels": "it needs a package index and an engine",
    "flower_events_total": "no command: a metric",
    "segfleet: volume data is in use": "no command: what a command prints",
    "the backup does not fit": "no command: what a command prints",
    "LABEL=backup1": "no command: lines of fstab",
}


def commands_of(page: Path) -> Iterator[list[str]]:
    """The arguments of each command on a page, in containers too."""
    for fenced, indented in _BLOCK.findall(page.read_text()):
        text = _HERE_DOCUMENT.sub("", fenced or indented).replace("\\\n", " ")
        text = text.replace("docker compose run --rm cli", "segfleet")
        for line in text.splitlines():
            words = words_of(line) if "segfleet" in line else []
            for index, word in enumerate(words):
                is_command = index == 0 or words[index - 1] in (*_ENDS, "(", "$(", ";", "!", "nice")
                if word == "segfleet" and is_command:
                    rest = words[index + 1 :]
                    ends = [at for at, part in enumerate(rest) if part in _ENDS or set(part) & set("|&;>)")]
                    yield rest[: min(ends, default=len(rest))]


def words_of(line: str) -> list[str]:
    lexer = shlex.shlex(line.strip(), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    return list(lexer)


def refusal(arguments: list[str]) -> str:
    """Why the program does not take these; "" if it does.  Nothing is carried out."""
    command: click.Command = segfleet
    ctx = click.Context(segfleet, info_name="segfleet")
    rest = arguments
    try:
        while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
            name, found, rest = command.resolve_command(ctx, rest)
            assert found is not None
            command, ctx = found, click.Context(found, info_name=name, parent=ctx)
            if name == "devices" and not {*rest[:1]} & {*getattr(command, "commands", {})}:
                # Without a word it lists.
                rest = ["list", *rest]
        command.make_parser(ctx).parse_args(list(rest))
    except (click.UsageError, UsageError) as error:
        return str(error)
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_program_takes_each_command_of_the_page(page: Path) -> None:
    found = [arguments for arguments in commands_of(page) if not _SYNOPSIS.search(" ".join(arguments))]
    assert [(arguments, why) for arguments in found if (why := refusal(arguments))] == []


def test_commands_are_found_on_the_pages_and_a_wrong_one_is_refused() -> None:
    assert len([*commands_of(REPOSITORY / "docs" / "daily.md")]) > 15
    assert ["snapshots"] in commands_of(REPOSITORY / "README.md")
    assert refusal(["backup", "--volum", "home"]) and refusal(["snapshot"]) and not refusal(["check", "--read-data"])


def test_the_commands_of_each_page_are_run_by_a_test() -> None:
    shown = {
        page.stem for page in PAGES for found in commands_of(page) if found and not _SYNOPSIS.search(" ".join(found))
    }
    assert shown == RUN_BY.keys()
    for page, test in RUN_BY.items():
        assert page in (REPOSITORY / test).read_text(), page


def test_each_block_that_calls_other_programs_is_run_or_listed_with_the_reason() -> None:
    left = {block for page in PAGES for block in other_blocks_of(page)}
    unlisted = [block for block in left if not block.startswith(tuple(NOT_RUN))]
    assert unlisted == []
    assert [beginning for beginning in NOT_RUN if not any(block.startswith(beginning) for block in left)] == []
    for page, test in RUN_AS_A_WHOLE.items():
        assert f"{page}.md" in (REPOSITORY / test).read_text(), page


def other_blocks_of(page: Path) -> Iterator[str]:
    """The blocks that call no segfleet and are no tables of the configuration."""
    text = page.read_text()
    fenced = [] if page.stem in RUN_AS_A_WHOLE else re.findall(r"^```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    indented = re.findall(r"(?<=\n\n)((?: {4}\S[^\n]*\n)+)", re.sub(r"(?ms)^```.*?^```$", "", text))
    for block in map(str.strip, fenced + indented):
        if not re.search(r"(?<![\w.-])segfleet [a-z]", block) and not block.startswith("["):
            yield block
