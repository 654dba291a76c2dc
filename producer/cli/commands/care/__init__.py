"""Commands for whoever looks after devices and runs."""
