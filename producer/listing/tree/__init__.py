"""How a tree part is made: of batches, or of another part in which something has changed."""
