"""One change for many clinics: publish a version, plan an order, apply it, feed it to clinics, read it back.

::

    publish    a file, or what the release brings ──► BlueprintPublished
    plan       every clinic's facts ──► what the order would do, and its digest
    operating  what people do, each once, for the command line and HTTP; finding: a rollout by its id
    clinics    an order's clinics, what each waits for, and trying those again that failed
    catalogue  the tools and their versions, for people
    command    start, pause, resume, promote, abort, rollback ──► one event, at the version that was read
    tool_requests, taking   INSERT and UPDATE of system_tools ──► publish, plan, apply
    feeder     clinics whose tool is not as decided ──► due, 500 at a time; due, walk: what it finds out, and remembers
    gate_keeper  whether the next stage may open; gates: calls of the version and the dry run
    read_back  what Vapi lists as changed ──► is it as ordered?
    answered   what every live assistant-api announces ──► ContractsAnswered
    blueprint_topic  which versions are published ──► tool-sync.blueprint.v1; `published` makes the records
    unanswered contracts that clinics have and that not every assistant-api answers
    facts      pages of clinics with one tool, as the tables have them
"""
