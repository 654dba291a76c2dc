"""Commands about which snapshots are kept."""
