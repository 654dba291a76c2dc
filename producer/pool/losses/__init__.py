"""What is lost, damaged or missing on devices, and what would be lost with one."""
