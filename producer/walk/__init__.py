"""The walk: every entry of every source, in a fixed order, as listing parts; it reports trouble and continues."""

from producer.walk.choosing.exclusions import read_exclude_file
from producer.walk.early import EarlyScan
from producer.walk.guard import limit_of_environment
from producer.walk.scan import Walk

__all__ = ["EarlyScan", "Walk", "limit_of_environment", "read_exclude_file"]
