"""``segfleet devices``, and the words by which an operator says what became of one."""
