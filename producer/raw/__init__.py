"""Raw volumes: sources that are read as one block device or image, whatever files they hold (docs/raw.md)."""
