"""``python -m tests.attack``: what strangers and bad clinics try against a running stack, and whether it held.

    inputs    the list of hostile requests, byte by byte
    framing   requests that two readers read differently
    sockets   too much, too slowly, nothing at all, and answers that nobody takes
    tokens    forged, expired, borrowed and foreign ones
    webhook   Vapi's calls by somebody else, and by Vapi twice
    limits    more than a clinic may, and more than an address may, by every name
    log       what of it ended in the log file, and whether the event log is as it was signed

Each part has a control: what is good must work, so that a service that refuses everybody does not hold. Nothing is sent
but to loopback addresses. ``ideas.md`` says where each attack was found.
"""
