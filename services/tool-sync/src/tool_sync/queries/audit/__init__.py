"""The completeness audit: did every save get its outcome, exactly one, and in time?

::

    history    what lies on both topics: saves with their place, outcomes with the requests they answer
    accepted   what assistant-api accepted, over its HTTP API
    parked     dead letters, and those that somebody has looked at and closed
    looked     what was looked at and what was not, and what a read of Vapi adds, where it is asked for
    judge      PURE: each save into its class, and the report

It trusts neither the log nor the projections: it compares what went in with what came out.
"""
