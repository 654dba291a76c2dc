"""Parity of stored objects on other devices: groups planned, written, read, checked and formed anew."""
