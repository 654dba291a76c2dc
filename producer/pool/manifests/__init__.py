"""Manifests on devices: written, read, brought to those that lack them, and those that no catalog knows."""
