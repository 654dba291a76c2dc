"""The table of snapshots: its rows (``rows``), and what is written and read of it (``snapshots``)."""
