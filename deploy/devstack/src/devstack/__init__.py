"""The whole system on one machine, without Docker and without anything installed system-wide.

PostgreSQL, Apache Kafka, the Vapi sandbox, Jaeger (where there is one) and the two services, each a real
process with a real health check. `devstack.launch` brings them up together, `devstack.fixtures` lends the parts to
pytest, and `python -m devstack` is the command line.
"""
