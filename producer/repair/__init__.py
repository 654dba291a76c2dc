"""Repair: the devices get back what they lack and others still have."""
