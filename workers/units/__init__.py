"""From bytes to zstd frames, one unit on one thread."""
