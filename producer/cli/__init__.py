"""The command line: one file for each command; ``main.py`` alone prints errors and exits.

The files import the engine, the catalog and rich inside the command functions: ``segfleet --help`` and the
lists must answer within 0.25 s, and Celery, SQLAlchemy and rich together take longer than that to import.
"""
