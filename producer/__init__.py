"""Decides what to do and remembers what was done: walk, plan, feed, record, seal, restore.

Never opens a device, and never imports ``workers``: what a device holds is learnt from receipts.
"""
