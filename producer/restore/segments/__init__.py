"""What a restore reads from stored objects: first from where the plan says, then from wherever else it is."""
