"""A database that holds a golden log, row by row as it was stored."""
