"""The rules, pure: values in, values out. No await, clock, uuid, environment or log; standard library only.

events    what can have happened: the closed union of stored events
toolset   an org's state as a fold of its events (``evolve``), and what a worker may write (``decide``)
telling   which events a clinic is told of, under which number and why
steps     what is due now, and when to look again (``next_steps``)
"""
