"""The numbers of the segment format (docs/format.md, sections 2 and 5).  All integers are little-endian."""

from __future__ import annotations

from struct import Struct

from tasks.values import MAX_EXTENTS, MAX_UNITS_COUNT

FORMAT_VERSION = 1

#: In front of every skippable frame: magic, bytes that follow.
FRAME_START = Struct("<II")
HEADER_FRAME_MAGIC = 0x184D2A5A
TRAILER_FRAME_MAGIC = 0x184D2A5B
PARITY_FRAME_MAGIC = 0x184D2A5C
SEEK_TABLE_FRAME_MAGIC = 0x184D2A5E

#: The start of a header or trailer frame, up to its digest:
#: frame magic, bytes that follow, magic, format version, flags, content encoding, digest algorithm,
#: encryption, parity, stored content bytes, content bytes, reserved.
ENVELOPE = Struct("<II8sHHBBBBII8s")
DIGEST_BYTES = 32
ENVELOPE_BYTES = ENVELOPE.size + DIGEST_BYTES

#: Flag bits 8-15 are reserved: a reader that meets one refuses.  Bits 0-7 are unused: a reader ignores them.
RESERVED_FLAGS = 0xFF00
CONTENT_ZSTD_JSON = 1
DIGEST_BLAKE3 = 1
ENCRYPTION_NONE = 0
PARITY_NONE = 0

#: What a header or trailer may decompress to: 65,536 extents with paths of 1000 bytes each, or twice the largest number
#: of units.
MAX_CONTENT_BYTES = 64 * 1024 * 1024

#: zstd makes nothing much larger than it was.
MAX_STORED_CONTENT_BYTES = MAX_CONTENT_BYTES + MAX_CONTENT_BYTES // 128

#: Values in the JSON of a header or trailer: three for each unit, and some for each extent.
MAX_CONTENT_VALUES_COUNT = 3 * MAX_UNITS_COUNT + 8 * MAX_EXTENTS

#: Compressed size, decompressed size.
SEEK_TABLE_ENTRY = Struct("<II")
#: Number of frames, descriptor, magic.
SEEK_TABLE_FOOTER = Struct("<IBI")
SEEK_TABLE_FOOTER_MAGIC = 0x8F92EAB1
#: No checksums: the trailer's digests and the frames' own checksums are stronger.
SEEK_TABLE_DESCRIPTOR = 0
#: Header, units, trailer; far below the limit of the reference reader (ZSTD_SEEKABLE_MAXFRAMES).
MAX_FRAMES = MAX_UNITS_COUNT + 2
#: The least that a unit takes: frame header, one block, checksum.
MIN_UNIT_STORED_BYTES = 13
MAX_FRAME_BYTES = 0xFFFFFFFF
