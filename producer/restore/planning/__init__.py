"""What a restore brings back, decided from the catalog alone."""
