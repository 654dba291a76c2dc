"""Writing below one folder, and never outside it, whatever a message says or a stranger planted there."""
