"""Tables and words for what the catalog and the summaries hold, one file for each kind."""
