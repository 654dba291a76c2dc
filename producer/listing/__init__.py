"""The entries of a snapshot: what they are, how they are stored, and how the feeder reads them.

The walk gives every entry an *entry index*, from 0, over all sources.  Entries are kept in *listing
parts*, compressed files of a few MiB that never change: the catalog holds them, and each device gets
them unchanged as parts of the manifest (docs/manifest.md).
"""

from producer.listing.entry import Entry, EntryBatch
from producer.listing.extents import SegmentContents, extents_of
from producer.listing.parts import ListingPart, ListingWriter, decode_part
from producer.listing.reader import ListingReader

__all__ = [
    "Entry",
    "EntryBatch",
    "ListingPart",
    "ListingReader",
    "ListingWriter",
    "SegmentContents",
    "decode_part",
    "extents_of",
]
