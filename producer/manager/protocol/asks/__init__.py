"""What a master may ask of a manager: one class for each command, a closed set of fields with bounds."""
