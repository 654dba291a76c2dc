"""Commands that look into snapshots; they need the catalog alone."""
