"""A part of a snapshot as a tar or a zip, made while it is read."""
