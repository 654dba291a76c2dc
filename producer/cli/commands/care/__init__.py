"""Commands that show and maintain snapshots, runs and locks."""
