"""What is known now, or was known at a time: one module for each question. Nothing here writes.

::

    organizations       which there are                     coverage      who can book, of those that should
    org_tools           which tools an org has, or had      failures      whose newest outcome failed
    assistants          what rows of assistants say         waiting       what has no outcome yet, and waits for what
    timeline            what happened to an org, a tool,    dead_letters  what could not be taken in
                        or an assistant                     as_of         an org's state, by the fold of its log
    plain_words         words that sentences share          next_action   what happens next, and when
    explain_tool        why an org has a tool or lacks it   surplus       further tools of ours at Vapi
    tool_settings       what is set for a tool, by whom     changes       what changed for an org's tools
    explain_assistant   what an assistant has, and why      audit         did every save get its outcome
    gaps                why an assistant cannot book
    decisions           was every write justified           explain_rule  the rule that decided, in words
    blueprint           which versions of tools were published
    change_windows      when orders may change an org's tools

Beside ``log/`` the only place that reads the table ``events``: a reader elsewhere would have to know what a release may
pass over, and under which role a row is seen. A test holds it. The connection's role and row-level security decide what
is found: `db.tenant_tx` for a caller of HTTP.
"""
