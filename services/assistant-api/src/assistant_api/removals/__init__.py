"""Deletes and releases assistants at Vapi that their agents have no more, in the background, for as long as that takes.

loop       claims what is due and runs a step for each
store      the rows: the lease, and what came of it
step       look, decide, delete
release    look, take out what is ours, look again
leftovers  which bytes of an assistant are ours: pure
sweep      what creations without an answer made long after anybody waited for them
"""
