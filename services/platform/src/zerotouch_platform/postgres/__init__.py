"""PostgreSQL as both services use it.

pool          the sessions of a service, and how a transaction becomes one tenant's
session       is there one behind a connection, or is a pooler in between
errors        what passes by itself, what a person has to put right, and what a value has caused
leader        who may publish: a lock that ends with its session
installation  whose database it is
"""
