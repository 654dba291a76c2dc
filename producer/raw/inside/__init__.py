"""Files inside raw volumes, read by the tools of their file systems."""
