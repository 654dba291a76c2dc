"""One module for each group of tables: its rows, as frozen values, and what is read and written of it.

Times are aware, in UTC.  Paths and messages may hold surrogate escapes and newlines.
"""
