"""What a snapshot needs to be whole at its seal, or what it lacks then."""
