"""Where segments are kept.  Adapters implement :class:`workers.devices.base.Device`."""
