"""How older catalogs become what :mod:`producer.catalog.schema` says; run by Alembic."""
