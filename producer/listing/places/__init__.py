"""Where the bytes of entries are stored: places, map parts, cells and ranges."""
