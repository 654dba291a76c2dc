"""The objects that ``--json`` prints, as types: JSON Schemas are made of them, and the fields are documented here.

Fields are added, never renamed or removed.  Times are RFC 3339 in UTC.
"""
