"""From the outbox to Kafka: one leader, rows in order, at least once, deleted when Kafka has them.

page   a page of the outbox, and its records
loop   become the leader, send page after page
names  beside it: does the topic of names say what the rows do?
accounts  the same of the topic of accounts
"""
