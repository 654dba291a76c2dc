"""The manifest files on a device; parts and heads are written and read whole."""

from __future__ import annotations

import base64

from blake3 import blake3

from tasks.errors import DamagedError, DeviceError, MessageError
from tasks.generations import MAX_GENERATION_BYTES, Generation, decode_generation, generation_name
from tasks.orders import MANIFEST_NAME, MAX_MANIFEST_BYTES, GetManifest, PutManifest
from tasks.receipts import MAX_MANIFEST_NAMES, ManifestResult
from workers.devices.base import Device
from workers.devices.keys import MANIFESTS_FOLDER, manifest_key


class NoSuchManifestError(DeviceError):
    """The device has no manifest file of this name."""

    code = "no-such-manifest"


def put_manifest(order: PutManifest, *, device: Device) -> ManifestResult:
    """Store one file of a manifest durably; repeating it writes nothing.  ``order`` has the data.

    Raises MessageError when the data does not match its digest, DeviceError when the device fails.
    """
    data = order.data
    if blake3(data).hexdigest() != order.digest:
        raise MessageError(f"manifest {order.name}: its BLAKE3 does not match")
    key = manifest_key(order.name)
    if not _holds(device, key, data):
        with device.put(key) as upload:
            upload.write(data)
            upload.commit()
    return ManifestResult()


def get_manifest(order: GetManifest, *, device: Device) -> ManifestResult:
    """The file that ``order`` names, or the sorted names of all files of manifests.

    Raises NoSuchManifestError, DamagedError when it is larger than a manifest's file can be, or DeviceError when the
    device fails.
    """
    if not order.name:
        return ManifestResult(names=_names(device))
    data = _read(device, manifest_key(order.name))
    if data is None:
        raise NoSuchManifestError(f"device {device.name} has no manifest file {order.name}")
    return ManifestResult(data_base64=base64.b64encode(data).decode("ascii"))


def generation_on(device: Device, catalog_id: str) -> Generation | None:
    """The last generation of this catalog that the device knows; None if it has no sound one.

    Raises DeviceError when the device fails.
    """
    stored = device.open(manifest_key(generation_name(catalog_id)))
    if stored is None:
        return None
    with stored:
        found = decode_generation(stored.read(0, MAX_GENERATION_BYTES))
    return found if found is not None and found.catalog_id == catalog_id else None


def _names(device: Device) -> tuple[str, ...]:
    names = (key.removeprefix(f"{MANIFESTS_FOLDER}/") for key in device.list(MANIFESTS_FOLDER))
    found = tuple(filter(MANIFEST_NAME.fullmatch, names))
    if len(found) > MAX_MANIFEST_NAMES:
        raise DeviceError(f"device {device.name} holds {len(found)} manifest files, more than a device can have")
    return found


def _holds(device: Device, key: str, data: bytes) -> bool:
    """Whether the file is there, and is just this."""
    stored = device.open(key)
    if stored is None:
        return False
    with stored:
        return stored.size_bytes == len(data) and stored.read(0, len(data)) == data


def _read(device: Device, key: str) -> bytes | None:
    stored = device.open(key)
    if stored is None:
        return None
    with stored:
        if stored.size_bytes > MAX_MANIFEST_BYTES:
            raise DamagedError(
                f"device {device.name}: {key} has {stored.size_bytes} bytes, more than a manifest file can have"
            )
        return stored.read(0, stored.size_bytes)
