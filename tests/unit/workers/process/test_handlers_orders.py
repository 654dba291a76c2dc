"""What a worker does with orders: those for it are carried out, the others refused."""

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from tasks import orders
from tasks.errors import DeviceError, MessageError, NotADeviceError, SegfleetError
from tasks.generations import Generation, encode_generation, generation_name
from tasks.orders import Order
from tasks.receipts import StoreResult
from tasks.values import Extent, Extents
from tasks.wire import decode, encode
from workers.devices.keys import object_key
from workers.devices.local.device import LocalDevice
from workers.devices.manifests import NoSuchManifestError
from workers.process.handlers import LocalHandlers
from workers.process.refusals import NotConfiguredError
from workers.settings import DeviceSettings, WorkerSettings

DEVICE_ID = "d" * 32
POOL_ID = "e" * 32
OBJECT_ID = "5e" * 16
PART = "1" * 32 + ".000000.part"
HEAD = "1" * 32 + ".manifest"


class Progress:
    def __init__(self) -> None:
        self.bytes_count = 0
        self.order_id = ""

    def add(self, bytes_count: int) -> None:
        self.bytes_count += bytes_count

    def beat(self) -> None: ...

    def tell_device(self, device_id: str, epoch: int, free_bytes: int) -> None: ...

    def begin(self, order_id: str) -> int:
        self.order_id = order_id
        return 1

    def end(self) -> None:
        self.order_id = ""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "file").write_bytes(b"content" * 30_000)
    (tmp_path / "device").mkdir()
    return tmp_path / "device"


@pytest.fixture
def settings(folder: Path) -> WorkerSettings:
    return WorkerSettings(
        broker_url="redis://nowhere",
        devices={"a": DeviceSettings(path=folder), "absent": DeviceSettings(path=folder.with_name("absent"))},
        sources={"source": folder.with_name("source")},
        targets={"target": folder.with_name("target")},
    )


@pytest.fixture
def handlers(settings: WorkerSettings) -> LocalHandlers:
    return LocalHandlers(settings, worker="a@here", progress=Progress())


@pytest.fixture
def adopted(handlers: LocalHandlers) -> LocalHandlers:
    handlers.adopt(order(orders.AdoptDevice, device_id="", pool_id=POOL_ID, new_device_id=DEVICE_ID))
    return handlers


def order(cls: type[Any], **fields: object) -> Any:
    envelope = {"run_id": "0" * 32, "order_id": "7" * 32, "device": "a", "device_id": DEVICE_ID, "epoch": 0}
    return cls(**{**envelope, "attempt": 1, "reply_to": "manager.local", **fields})


def store_order(**fields: object) -> orders.StoreSegment:
    made: orders.StoreSegment = order(
        orders.StoreSegment,
        **{
            "segment_id": "7" * 32,
            "object_id": OBJECT_ID,
            "snapshot_id": "1" * 32,
            "volume": "home",
            "number": 0,
            "source": "source",
            "extents": Extents.of([Extent(path="file", offset_bytes=0, size_bytes=210_000)]),
            "threshold_bytes": 10**6,
            "unit_bytes": 65_536,
            "block_bytes": 65_536,
            "level": 1,
            "threads": 2,
            **fields,
        },
    )
    return made


def manifest_order(data: bytes, name: str = PART, **fields: object) -> orders.PutManifest:
    fields = {"data": data, "digest": blake3(data).hexdigest(), **fields}
    made: orders.PutManifest = order(orders.PutManifest, name=name, **fields)
    return made


def verify_order(stored: StoreResult | None, *object_ids: str, read_data: bool) -> orders.VerifySegments:
    """To verify ``object_ids``, all as if they had been ``stored`` so."""
    count = len(object_ids)
    made: orders.VerifySegments = order(
        orders.VerifySegments,
        object_ids=object_ids,
        stored_bytes=(stored.bytes_stored if stored else 0,) * count,
        trailer_digests=(stored.trailer_digest if stored else "0" * 64,) * count,
        read_data=read_data,
    )
    return made


def verify(
    handlers: LocalHandlers, stored: StoreResult | None, object_id: str = OBJECT_ID, *, read_data: bool
) -> list[tuple[Any, ...]]:
    result = handlers.verify(verify_order(stored, object_id, read_data=read_data))
    assert result.segments_count == 1
    return [(finding.object_id, finding.code, finding.ranges) for finding in result.findings]


def flip(path: Path, offset_bytes: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset_bytes)
        byte = file.read(1)[0]
        file.seek(offset_bytes)
        file.write(bytes([byte ^ 1]))


# --- describe and adopt


def test_describing_an_empty_folder_changes_nothing(handlers: LocalHandlers, folder: Path) -> None:
    assert handlers.describe(order(orders.DescribeDevice, device_id="")).condition == "empty"
    assert list(folder.iterdir()) == []


def test_adopting_makes_a_device_and_repeating_it_changes_nothing(handlers: LocalHandlers, folder: Path) -> None:
    first = handlers.adopt(order(orders.AdoptDevice, device_id="", pool_id=POOL_ID, new_device_id=DEVICE_ID))
    again = handlers.adopt(order(orders.AdoptDevice, device_id="", pool_id=POOL_ID, new_device_id="f" * 32))
    assert (first.condition, first.device_id, first.pool_id, first.marker_name) == ("ready", DEVICE_ID, POOL_ID, "a")
    assert again.device_id == DEVICE_ID
    assert [path.name for path in folder.iterdir()] == ["segfleet.json"]


def test_a_device_of_another_pool_is_not_adopted(adopted: LocalHandlers) -> None:
    with pytest.raises(NotADeviceError, match="belongs to another pool"):
        adopted.adopt(order(orders.AdoptDevice, device_id="", pool_id="f" * 32, new_device_id="f" * 32))


def test_a_folder_with_files_is_not_adopted(handlers: LocalHandlers, folder: Path) -> None:
    (folder / "thesis.odt").touch()
    with pytest.raises(NotADeviceError, match=r"thesis\.odt") as caught:
        handlers.adopt(order(orders.AdoptDevice, device_id="", pool_id=POOL_ID, new_device_id=DEVICE_ID))
    assert "empty folder" in caught.value.hint
    assert [path.name for path in folder.iterdir()] == ["thesis.odt"]


def test_a_missing_folder_is_not_made(handlers: LocalHandlers, folder: Path) -> None:
    with pytest.raises(NotADeviceError, match="make the folder first"):
        handlers.adopt(
            order(orders.AdoptDevice, device="absent", device_id="", pool_id=POOL_ID, new_device_id=DEVICE_ID)
        )
    assert not folder.with_name("absent").exists()


# --- refusals


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"device": "b"}, NotConfiguredError),
        ({"source": "elsewhere"}, NotConfiguredError),
        ({"device_id": "f" * 32}, NotADeviceError),
        ({"device_id": ""}, NotADeviceError),
        ({"device": "absent"}, NotADeviceError),
    ],
    ids=str,
)
def test_an_order_for_somebody_else_is_refused(
    adopted: LocalHandlers, folder: Path, fields: dict[str, Any], error: type[SegfleetError]
) -> None:
    with pytest.raises(error):
        adopted.store(store_order(**fields))
    assert [path.name for path in folder.iterdir()] == ["segfleet.json"]


def test_a_target_that_is_not_configured_is_refused(adopted: LocalHandlers) -> None:
    with pytest.raises(NotConfiguredError, match="target 'elsewhere'"):
        adopted.restore_entries(order(orders.RestoreEntries, target="elsewhere", entries=(), overwrite="always"))


def test_a_fenced_order_is_refused_before_and_after_the_work(
    settings: WorkerSettings, adopted: LocalHandlers, folder: Path
) -> None:
    for refused_call in (1, 2):
        calls: list[Order] = []

        def refuse_stale(order: Order, calls: list[Order] = calls, refused_call: int = refused_call) -> None:
            calls.append(order)
            if len(calls) == refused_call:
                raise MessageError("a later epoch")

        fenced = LocalHandlers(settings, worker="a@here", progress=Progress(), refuse_stale=refuse_stale)
        with pytest.raises(MessageError):
            fenced.handle(store_order())
        assert not (folder / object_key(OBJECT_ID)).exists()


# --- store, and what follows it


def test_a_stored_segment_is_answered_in_a_form_that_travels(settings: WorkerSettings, adopted: LocalHandlers) -> None:
    progress = Progress()
    result = LocalHandlers(settings, worker="a@here", progress=progress).handle(store_order())
    assert isinstance(result, StoreResult)
    assert (result.bytes_source, progress.bytes_count, progress.order_id) == (210_000, 210_000, "")
    assert decode(StoreResult, encode(result)) == result


def test_the_first_order_sweeps_what_a_dead_worker_left(adopted: LocalHandlers, folder: Path) -> None:
    left_over = folder / "segments" / "00" / "x.seg.0123abcd.tmp"
    left_over.parent.mkdir(parents=True)
    left_over.touch()
    adopted.store(store_order())
    assert not left_over.exists()


def test_each_look_at_the_device_sweeps_what_another_worker_left_meanwhile(
    adopted: LocalHandlers, folder: Path
) -> None:
    adopted.store(store_order())
    left_over = folder / "segments" / "00" / "x.seg.0123abcd.tmp"
    left_over.parent.mkdir(exist_ok=True)
    left_over.touch()
    adopted.describe(order(orders.DescribeDevice))
    assert not left_over.exists()


def test_a_device_that_cannot_be_swept_is_used_all_the_same(
    adopted: LocalHandlers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sweep(device: LocalDevice) -> int:
        raise DeviceError("read-only")

    monkeypatch.setattr(LocalDevice, "sweep", sweep)
    assert verify(adopted, None, read_data=False) == [(OBJECT_ID, "missing", ())]


def test_a_whole_segment_has_no_findings(adopted: LocalHandlers) -> None:
    stored = adopted.store(store_order())
    assert verify(adopted, stored, read_data=False) == []
    assert verify(adopted, stored, read_data=True) == []


def test_a_missing_segment_is_found_and_the_others_are_still_checked(adopted: LocalHandlers) -> None:
    stored = adopted.store(store_order())
    request = verify_order(stored, "a" * 32, OBJECT_ID, read_data=True)
    result = adopted.verify(request)
    assert [(finding.object_id, finding.code) for finding in result.findings] == [("a" * 32, "missing")]
    assert result.bytes_read >= stored.bytes_stored


def test_a_flipped_bit_in_a_unit_is_found_when_the_data_is_read(adopted: LocalHandlers, folder: Path) -> None:
    stored = adopted.store(store_order())
    path = folder / object_key(OBJECT_ID)
    # The first unit follows the header, a skippable frame that says how long it is.
    flip(path, 8 + int.from_bytes(path.read_bytes()[4:8], "little") + 20)
    assert verify(adopted, stored, read_data=False) == []
    assert verify(adopted, stored, read_data=True) == [(OBJECT_ID, "damaged", ((0, 65_536),))]


@pytest.mark.parametrize("read_data", [False, True])
@pytest.mark.parametrize("damage", ["cut", "longer", "empty", "header"])
def test_a_segment_that_is_not_whole_is_damaged(
    adopted: LocalHandlers, folder: Path, damage: str, read_data: bool
) -> None:
    stored = adopted.store(store_order())
    path = folder / object_key(OBJECT_ID)
    data = path.read_bytes()
    changed = {"cut": data[:-10], "longer": data + b"x", "empty": b"", "header": data[:30] + b"x" + data[31:]}
    path.write_bytes(changed[damage])
    assert [code for _, code, _ in verify(adopted, stored, read_data=read_data)] == ["damaged"]


def test_another_segment_in_its_place_is_damaged(adopted: LocalHandlers, folder: Path) -> None:
    stored = adopted.store(store_order())
    other = folder / object_key("a" * 32)
    other.parent.mkdir(exist_ok=True)
    (folder / object_key(OBJECT_ID)).rename(other)
    assert verify(adopted, stored, "a" * 32, read_data=False) == [("a" * 32, "damaged", ())]


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("elsewhere")], ids=["fifo", "symlink"])
def test_a_segment_that_cannot_be_opened_is_unreadable_and_the_others_are_still_checked(
    adopted: LocalHandlers, folder: Path, make: Callable[[Path], object]
) -> None:
    stored = adopted.store(store_order())
    in_its_place = folder / object_key("a" * 32)
    in_its_place.parent.mkdir(exist_ok=True)
    make(in_its_place)
    result = adopted.verify(verify_order(stored, "a" * 32, OBJECT_ID, read_data=True))
    assert [(finding.object_id, finding.code) for finding in result.findings] == [("a" * 32, "unreadable")]
    assert result.bytes_read >= stored.bytes_stored


# --- manifests


def test_a_manifest_part_comes_back_as_it_was_put(adopted: LocalHandlers) -> None:
    data = bytes(range(256))
    adopted.put_manifest(manifest_order(data))
    result = adopted.get_manifest(order(orders.GetManifest, name=PART))
    assert base64.b64decode(result.data_base64) == data


def test_putting_a_part_again_writes_nothing_and_a_damaged_one_is_replaced(
    adopted: LocalHandlers, folder: Path
) -> None:
    adopted.put_manifest(manifest_order(b"data"))
    path = folder / "manifests" / PART
    first = path.stat().st_ino
    adopted.put_manifest(manifest_order(b"data"))
    assert path.stat().st_ino == first
    path.write_bytes(b"dada")
    adopted.put_manifest(manifest_order(b"data"))
    assert path.read_bytes() == b"data"


def test_a_listing_names_the_manifest_files(adopted: LocalHandlers) -> None:
    assert adopted.get_manifest(order(orders.GetManifest, name="")).names == ()
    for name in (HEAD, PART):
        adopted.put_manifest(manifest_order(b"data", name))
    assert adopted.get_manifest(order(orders.GetManifest, name="")).names == (PART, HEAD)


@pytest.mark.parametrize("fields", [{"digest": "0" * 64}, {"digest": blake3(b"date").hexdigest()}], ids=str)
def test_a_part_that_is_not_what_its_digest_says_is_refused(
    adopted: LocalHandlers, folder: Path, fields: dict[str, Any]
) -> None:
    with pytest.raises(MessageError):
        adopted.put_manifest(manifest_order(b"data", **fields))
    assert not (folder / "manifests").exists()


def test_a_manifest_that_is_not_there_is_said_so(adopted: LocalHandlers) -> None:
    with pytest.raises(NoSuchManifestError, match=PART):
        adopted.get_manifest(order(orders.GetManifest, name=PART))


def test_a_claim_is_on_the_device_before_the_first_object_of_a_snapshot(adopted: LocalHandlers, folder: Path) -> None:
    with pytest.raises(SegfleetError):
        adopted.store(store_order(source="elsewhere", catalog_id="c" * 32))

    claim = json.loads((folder / "manifests" / ("1" * 32 + ".claim")).read_bytes())
    assert claim == {"format_version": 1, "snapshot_id": "1" * 32, "catalog_id": "c" * 32, "volume": "home"}


def test_a_device_reports_who_may_delete_on_it_and_its_generation(handlers: LocalHandlers) -> None:
    handlers.adopt(
        order(orders.AdoptDevice, device_id="", pool_id=POOL_ID, new_device_id=DEVICE_ID, catalog_id="c" * 32)
    )
    generation = Generation(catalog_id="c" * 32, number=7, token="f" * 32)
    handlers.put_manifest(manifest_order(encode_generation(generation), name=generation_name("c" * 32)))

    report = handlers.describe(order(orders.DescribeDevice, device_id=""))

    assert (report.catalog_id, report.generation, report.append_only) == ("c" * 32, generation, False)
