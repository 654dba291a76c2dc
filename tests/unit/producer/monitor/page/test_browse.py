"""Snapshots and their folders in the browser."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

import pytest

from kit.models.rows import T0, begin, plan
from kit.services.operator_page import Answer, Browser, served_page
from producer.catalog.catalog import Catalog
from producer.listing.entry import EntryBatch
from producer.listing.tree.tree_writer import TreeWriter

VOLUME = "home & <b>"
HOSTILE = '<img src=x onerror="alert(1)">\udcff'


def batch(directory: str, kinds: str, *names: str) -> EntryBatch:
    count = len(names)
    return EntryBatch(
        source="data",
        directory=directory,
        names=list(names),
        kinds=kinds,
        modes=[0o644] * count,
        uids=[0] * count,
        gids=[0] * count,
        mtimes_ns=[1_600_000_000 * 10**9] * count,
        ctimes_ns=[0] * count,
        sizes_bytes=[1536 if kind == "f" else -1 for kind in kinds],
        inodes=[0] * count,
    )


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    file = tmp_path_factory.mktemp("state") / "catalog.sqlite"
    with Catalog(file) as catalog:
        snapshot_id = begin(catalog, VOLUME)
        writer = TreeWriter()
        batches = [batch("", "d", ""), batch("", "df", HOSTILE, "notes.txt"), batch(HOSTILE, "f", "inside")]
        plan(catalog, snapshot_id, 0, entries_count=sum(map(len, batches)))
        parts = [part for one in batches for part in writer.add(one)] + list(writer.flush())
        catalog.trees.write(snapshot_id, [(0, part) for part in parts])
        catalog.snapshots.seal(snapshot_id, T0, b"h" * 32)
    with served_page(file) as found:
        yield found


def links(answer: Answer) -> list[str]:
    """Below the way up."""
    table = answer.text.partition("<tbody>")[2]
    return [html.unescape(link) for link in re.findall(r'href="([^"]+)"', table)]


def test_the_links_lead_from_a_volume_into_a_folder_with_a_hostile_name(browser: Browser) -> None:
    front = browser.ask("/")
    (volume,) = [html.unescape(link) for link in re.findall(r'href="(/snapshots[^"]*)"', front.text)]
    snapshots = browser.ask(volume)
    assert "Snapshots of home &amp; &lt;b&gt;" in snapshots.text
    (snapshot,) = links(snapshots)
    (source,) = links(browser.ask(snapshot))
    folder = browser.ask(source)
    assert "notes.txt" in folder.text
    assert "1.5 KiB" in folder.text
    assert "&lt;img src=x onerror=&quot;alert(1)&quot;&gt;\\377" in folder.text
    assert "<img" not in folder.text
    (inside,) = links(folder)
    assert ">inside</td>" in browser.ask(inside).text


def test_what_is_not_there_is_not_found_and_an_unknown_volume_has_none(browser: Browser) -> None:
    assert browser.ask("/browse?snapshot=12345678&path=x").status == 404
    assert browser.ask("/browse").status == 404
    assert "There are none." in browser.ask("/snapshots?volume=nobody").text


@pytest.mark.parametrize("path", ["/snapshots?volume=home", "/browse?snapshot=latest&path="])
def test_browsing_needs_the_password(browser: Browser, path: str) -> None:
    assert browser.ask(path, user="").status == 401
