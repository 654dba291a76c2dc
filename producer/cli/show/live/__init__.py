"""What a command shows while it works: bars, lines, or nothing."""
