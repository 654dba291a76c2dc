"""Turns an order into bytes on a device, and a receipt.  Never imports ``producer``."""
