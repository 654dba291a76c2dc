"""Sends orders, receives receipts, and watches which workers are alive."""
