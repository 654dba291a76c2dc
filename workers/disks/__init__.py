"""What the host's disks are, and who may move their heads."""
