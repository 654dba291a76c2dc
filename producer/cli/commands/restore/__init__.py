"""Commands that bring data back."""
