"""What an operator does in bulk, and what a look at Vapi finds.

::

    failures       assistants whose newest outcome failed, tried again: an event in their org's stream each
    dead_letters   records that were set aside, taken in again as the intake of this release does it, or closed
    tool_settings  one tool switched off for one org, or on again
    change_windows when orders may change an org's tools
    lost_tools     what Vapi made since a backup
    checked, live, live_all   what the log knows of assistants, beside what Vapi says now

What is done is only appended to the log: the loop does the rest, as for every other wish.
"""
