"""Commands that show what is in snapshots; most need only the catalog."""
