"""What producer and workers must agree on about entries of sources: their states, times and metadata."""
