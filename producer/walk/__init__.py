"""The walk: every entry of every source, in a fixed order, as listing parts; it reports trouble and continues."""

from producer.walk.exclusions import read_exclude_file
from producer.walk.scan import Walk

__all__ = ["Walk", "read_exclude_file"]
