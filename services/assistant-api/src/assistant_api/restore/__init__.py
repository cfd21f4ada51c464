"""A database that was restored from a backup: noticed, begun again, and no assistant made a second time (ADR 28).

guard    suspends writes while the topic is ahead of the rows
ahead    is it?
begin    what `assistant-api restore` does in the database
marked   every assistant at Vapi, and whose it is
lost     what an agent takes up before one is made
"""
