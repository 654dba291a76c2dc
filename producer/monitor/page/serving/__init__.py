"""The page's answers over HTTP: who may look, what each address returns, downloads."""
