"""Stored bytes on their way from the devices into this process: for dumps, archives and mounts."""
