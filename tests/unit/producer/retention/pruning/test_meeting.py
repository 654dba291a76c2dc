"""What a prune says when none of its devices is there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kit.models.in_process import InProcess, in_process
from kit.models.pruned_pool import Pool
from producer.catalog.catalog import Catalog
from tasks.errors import NotADeviceError


def test_a_catalog_that_knows_none_of_the_devices_can_be_made_again(tmp_path: Path) -> None:
    with in_process(tmp_path) as made:
        pool = Pool(tmp_path, made)
        pool.write("file")
        pool.back_up()
        before = pool.stored()
    with Catalog(tmp_path / "new.sqlite") as new, pytest.raises(NotADeviceError) as raised:
        InProcess(tmp_path, new).prune()

    assert "holds a device that is not in this catalog" in raised.value.message
    assert "segfleet rebuild" in raised.value.hint
    assert pool.stored() == before


def test_devices_that_are_away_are_to_be_mounted(tmp_path: Path) -> None:
    with in_process(tmp_path) as made, pytest.raises(NotADeviceError) as raised:
        shutil.rmtree(tmp_path / "devices")
        made.prune()

    assert "mount one of them" in raised.value.hint
