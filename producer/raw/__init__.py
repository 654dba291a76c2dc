"""Raw volumes: sources that are read as one block device or image, whatever the files on them are (docs/raw.md)."""
