"""The catalog: snapshots, segments, devices and runs; the truth about what is done.

Open it with :class:`producer.catalog.catalog.Catalog`; the values it takes and gives are in
:mod:`producer.catalog.rows`.  ``docs/catalog.md`` describes the tables and the states.
"""
