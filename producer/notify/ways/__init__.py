"""The ways a message takes.  None of them puts an address or a password into an error."""
