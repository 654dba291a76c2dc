"""Orders about the manifests on a device."""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta

from tasks.orders.order import Order
from tasks.values import Digest

#: A file of a manifest, as it lies on a device.
MAX_MANIFEST_BYTES = 6 * 1024 * 1024
#: Parts and heads; claim, tombstone and marks of a snapshot; the generation of a catalog (docs/manifest.md).
MANIFEST_NAME = re.compile(r"[0-9a-f]{32}\.([0-9]{6}\.part|manifest|claim|forgotten|marks|generation)")
ManifestName = Annotated[str, Meta(pattern=f"^{MANIFEST_NAME.pattern}$")]


class PutManifest(Order, frozen=True, kw_only=True):
    """Store a part of a manifest, or its head, under ``name``.  The head comes last: it commits."""

    name: ManifestName
    data: Annotated[bytes, Meta(max_length=MAX_MANIFEST_BYTES)] = b""
    #: Instead of ``data``: it lies in the broker, under its digest (:mod:`tasks.broker.parcels`).
    is_parcel: bool = False
    #: BLAKE3 of the data.
    digest: Digest


class GetManifest(Order, frozen=True, kw_only=True):
    """Return one manifest file; with name "", the names of all."""

    name: Annotated[str, Meta(pattern=f"^({MANIFEST_NAME.pattern})?$")]
