"""PostgreSQL as both services use it.

pool          the sessions of a service, and how a transaction becomes one tenant's
session       is there one behind a connection, or is a pooler in between
installation  whose database it is
"""
