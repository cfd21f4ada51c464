"""Brings every agent's newest revision to Vapi: one worker per agent by lease, many agents side by side.

loop      claims what is due and runs a step for each
claim     the lease, and what a step has to know
announce  a trace and a log line for saves by plain SQL
step      what to do for one agent, and every effect of it
facts     what a prompt block is made of
blocks    asks for blocks that say what is no longer so to be written anew
store     what came of it, into the row
"""
