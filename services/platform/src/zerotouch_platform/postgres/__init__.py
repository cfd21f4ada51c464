"""PostgreSQL as both services use it.

session       is there one behind a connection, or is a pooler in between
installation  whose database it is
"""
