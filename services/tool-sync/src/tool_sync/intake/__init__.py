"""What arrives. Records from Kafka go into the event log: decode each, append all at once, then commit the offsets.

mapping        one record -> what is appended for it, or why it is poison. Pure
dead_letters   the table of poison
intake         a batch: append, set poison aside
tool_settings  beside Kafka: what a clinic or an operator sets for one tool, appended once
change_windows  likewise: when orders may change its tools
consumer       the platform's consumer of the assistants topic, with the intake in it
table_reader   beside the log: a compacted topic in a table, by one process at a time
display_names  such a one: what clinics and agents are called, as display-names.v1 says it
accounts_reader  another: which clinics have an account of their own at Vapi, as vapi-accounts.v1 says it

Nothing is imported here: a command that writes a setting down needs no consumer.
"""
