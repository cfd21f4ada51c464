"""One change for many clinics: publish a version, plan an order, apply it, feed it to clinics, read it back.

::

    publish    a file, or what the release brings ──► BlueprintPublished
    plan       every clinic's facts ──► what the order would do, and its digest
    command    start, pause, resume, promote, abort, rollback ──► one event, at the version that was read
    feeder     clinics whose tool is not as decided ──► due, 500 at a time; a stage's gate
    read_back  what Vapi lists as changed ──► is it as ordered?
    answered   what every live assistant-api announces ──► ContractsAnswered
    facts      pages of clinics with one tool, as the tables have them
"""
