"""What a restore could not bring back, or keep, and how it says so."""
