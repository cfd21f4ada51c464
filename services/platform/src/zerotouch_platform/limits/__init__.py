"""How much one token, one clinic and one address may ask of a process, so that nobody's load is everybody's.

    request ─► whose is it? ─► room for one more, for each whom it counts for? ─► the application
               identity          limiter (policy, usage)       │ no
                                                               └─► 429 with Retry-After   answer

`policy` has the limits and `usage` what is used of them, both without a clock; `middleware` is their ASGI edge;
`settings` names the figures, each with its reason; `refusals` counts what was refused. Everything here is per process:
nothing is shared between workers or replicas, and nothing is divided by their number (ADR 55).
"""
