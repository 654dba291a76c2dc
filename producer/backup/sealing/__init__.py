"""The end of a backup: entries with their places become a tree, and the manifest goes to the devices."""
