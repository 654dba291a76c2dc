"""Commands that show and maintain devices, runs and locks."""
