"""Deletes assistants at Vapi that no agent has any more, in the background, for as long as that takes.

loop   claims what is due and runs a step for each
store  the rows: the lease, and what came of it
step   look, decide, delete
sweep  what creations without an answer made long after anybody waited for them
"""
