"""The operator's page: read-only, from the catalog and the leases."""
