"""The ids of segments and of objects: each follows from what it is the id of."""

from __future__ import annotations

import hashlib

from producer.pool.members import Member


def segment_id(snapshot_id: str, number: int, first_entry: int, stop_entry: int, offset_bytes: int) -> str:
    """32 hex digits: the same segment of the same snapshot always has the same id."""
    return _hashed(f"{snapshot_id}/{number}/{first_entry}/{stop_entry}/{offset_bytes}")


def object_id(snapshot_id: str, segment: str, member: Member, attempt: int) -> str:
    """32 hex digits, of one try: a message of it that comes twice finds its own object, and no other try does."""
    return _hashed(f"{snapshot_id}/{segment}/{member.device_id}/{member.epoch}/{attempt}")


def _hashed(text: str) -> str:
    return hashlib.blake2b(text.encode("ascii"), digest_size=16).hexdigest()
