"""What a backup does about tries that fail and devices that die."""
