"""The wire format of Zerotouch, and the only code that its services share.

What is where:

    events      the messages on Kafka, as pydantic models
    fleet       those about a clinic's tools and about rollouts
    envelope    how a message becomes a Kafka record (CloudEvents 1.0, binary mode) and back
    topics      topic names, partitions and retention; the key of every record is the org id
    errors      the error catalogue, ``TS-nnn``
    tools       the unified tool definitions (arguments, JSON Schema, what is registered with Vapi)
    canonical   hashes of JSON documents on which both services must agree
    text        the string types that everything from outside goes through

This package imports pydantic and the standard library only.
"""
