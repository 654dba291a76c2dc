"""What this host and this process are: state folder, processes, locks of one host."""
