"""The table of segments.

- ``rows``: its rows
- ``segments``: the plan, and what the feed, the manifest and a restore read
- ``cells``: the digests of what segments hold
- ``transitions``: what changes the state of a segment, and its failed attempts
- ``totals``: sums over the segments of a snapshot
"""
