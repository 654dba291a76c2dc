"""Commands about the configuration file."""
