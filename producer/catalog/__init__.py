"""The catalog: snapshots, segments, devices and runs; the truth about what is done.

:class:`producer.catalog.catalog.Catalog` opens it.  ``tables`` has a module for each group of tables, with its rows and
what is asked of it.  The rest is the frame: the database (``database``), its tables (``schema``,
``columns``) and their versions (``migrations``).  ``docs/catalog.md`` describes the tables and states.
"""
