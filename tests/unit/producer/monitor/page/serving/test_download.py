"""One file of a snapshot in the browser."""

from __future__ import annotations

import http.client
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.models.rows import T0, begin, plan
from kit.services.operator_page import Browser, served_page
from producer.catalog.catalog import Catalog
from producer.listing.entry import EntryBatch
from producer.listing.tree.tree_writer import TreeWriter
from producer.monitor.page.serving.download import disposition
from producer.monitor.page.serving.downloads import Downloads

HOSTILE = 'a"\r\nSet-Cookie: x=1; b\udcff.txt'

#: Stands for the command that restores a file: what it does depends on the file.
COMMAND = """
import sys
word = sys.argv[-1].rpartition("/")[2]
if word == "refused": sys.exit("segfleet: device b is away")
if word == "empty": sys.exit(0)
print(ascii(sys.argv[1:]), end="", flush=True)
if word == "torn": sys.exit(1)
"""


def batch(directory: str, kinds: str, *names: str) -> EntryBatch:
    zeros = [0] * len(names)
    return EntryBatch(
        source="data",
        directory=directory,
        names=list(names),
        kinds=kinds,
        modes=zeros,
        uids=zeros,
        gids=zeros,
        mtimes_ns=zeros,
        ctimes_ns=zeros,
        sizes_bytes=[1 if kind == "f" else -1 for kind in kinds],
        inodes=zeros,
    )


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("state") / "catalog.sqlite"
    with Catalog(path) as catalog:
        snapshot_id = begin(catalog, "home")
        writer = TreeWriter()
        batches = [batch("", "d", ""), batch("", "fffffd", HOSTILE, "empty", "plain", "refused", "torn", "z")]
        plan(catalog, snapshot_id, 0, entries_count=sum(map(len, batches)))
        parts = [part for one in batches for part in writer.add(one)] + list(writer.flush())
        catalog.trees.write(snapshot_id, [(0, part) for part in parts])
        catalog.snapshots.seal(snapshot_id, T0, b"h" * 32)
    return path


@pytest.fixture(scope="module")
def browser(file: Path) -> Iterator[Browser]:
    downloads = Downloads([sys.executable, "-c", COMMAND, "dump"], dict(os.environ))
    with served_page(file, downloads=downloads) as found:
        yield found


def link_of(browser: Browser, word: str) -> str:
    """The link of a file on the page of its folder."""
    text = browser.ask("/browse?snapshot=latest&path=data").text
    links = re.findall(r'href="(/download[^"]+)"', text)
    (found,) = [link.replace("&amp;", "&") for link in links if word in link]
    return str(found)


def test_a_file_is_downloaded_as_the_command_writes_it(browser: Browser, file: Path) -> None:
    with Catalog(file) as catalog:
        snapshot_id = catalog.snapshots.find("latest").snapshot_id
    answer = browser.ask(link_of(browser, "plain"))
    assert (answer.status, answer.text) == (200, ascii(["dump", "--", snapshot_id, "data/plain"]))
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_an_empty_file_is_downloaded(browser: Browser) -> None:
    answer = browser.ask(link_of(browser, "empty"))
    assert (answer.status, answer.text) == (200, "")


def test_a_hostile_name_stays_within_its_header(browser: Browser) -> None:
    answer = browser.ask(link_of(browser, "Set-Cookie"))
    assert answer.status == 200
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="a___Set-Cookie_ x_1_ b_.txt"')


def test_what_cannot_be_restored_says_why(browser: Browser) -> None:
    answer = browser.ask(link_of(browser, "refused"))
    assert (answer.status, answer.text) == (502, "segfleet: device b is away\n")


def test_a_download_that_breaks_off_is_seen_to_have_no_end(browser: Browser) -> None:
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        browser.ask(link_of(browser, "torn"))


@pytest.mark.parametrize("path", ["data/z", "data/nothing", "data", "--help"])
def test_only_files_that_are_there_are_downloaded(browser: Browser, path: str) -> None:
    assert browser.ask(f"/download?snapshot=latest&path={path}").status == 404


def test_a_download_needs_the_password_and_is_not_for_other_sites(browser: Browser) -> None:
    link = link_of(browser, "plain")
    assert browser.ask(link, user="").status == 401
    assert browser.ask(link, more={"Sec-Fetch-Site": "cross-site"}).status == 403
    assert browser.ask(link, method="HEAD").status == 405


def test_without_the_option_nothing_can_be_downloaded(file: Path) -> None:
    with served_page(file) as browser:
        assert "/download" not in browser.ask("/browse?snapshot=latest&path=data").text
        assert browser.ask("/download?snapshot=latest&path=data/plain").status == 404


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("notes.txt", "attachment; filename=\"notes.txt\"; filename*=UTF-8''notes.txt"),
        ("../Zürich", "attachment; filename=\"_Z_rich\"; filename*=UTF-8''.._Z%C3%BCrich"),
        ("\udcff", "attachment; filename=\"_\"; filename*=UTF-8''%3F"),
        ("", "attachment; filename=\"file\"; filename*=UTF-8''"),
    ],
)
def test_names_in_headers(name: str, header: str) -> None:
    assert disposition(name) == header
