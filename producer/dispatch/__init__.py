"""Orders out, receipts in, and who is alive."""
