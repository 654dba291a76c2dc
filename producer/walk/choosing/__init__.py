"""What a walk leaves out, and what a list names."""
