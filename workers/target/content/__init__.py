"""How regular files get their content: whole or in pieces, and what is left of an earlier restore."""
