"""Ring 1: the real decider, loop and write protocol, on virtual time, over a simulated log, store and Vapi.

    loop       an event loop whose time is a number: hours pass in milliseconds, and a seed decides who goes first
    process    a process that can be killed (nothing of it ever runs again) and paused (it sleeps while time goes on)
    log, store the database's promises, in memory
    vapi       a Vapi that is slow, loses answers, executes late and lags; and counts what it was made to do
    clinic     assistant-api as the second writer, an outsider in the dashboard, and deliveries that repeat
    orders     whoever publishes versions and orders them, and the feeder that makes clinics due
    words      clinics that word their tools; wording: whether what is sent and concluded goes by those
    book       what orders say, read from the log by rules of our own
    ordering   every write for a tool was as ordered; in_place: and cost no more than it has to
    faults     what happens to a run: a plan, or what a seed draws
    world      puts one run together and lets it end
    checks     the invariants, on the way and at rest
    campaign   every kill and pause point, all pairs of them, then seeds without end
    mutants    broken protocols that must be caught

A seed and a commit replay a run exactly.
"""
