"""Makes what is true at Vapi equal to what should be true: one loop, one org at a time, whatever woke it.

loop       claims orgs, keeps their leases, runs them side by side, gives them back
whose      in which account of Vapi's an org is worked on, or what it waits for
run        one org: load, plan, perform, append, until nothing is due
knowledge  what the run knows of its org: the writer folds in, the run plans from it
read_ahead the assistants of first saves, read while their tools are made
effects    one step against Vapi, behind the write guard
writer     the run's only writer to the log
store      leases and rows: the port to the database beside the log
rows       what the projection knows of the assistants with work
"""
