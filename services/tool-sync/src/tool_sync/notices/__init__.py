"""What a clinic is told by a signed webhook: that it cannot book, that it can again, and that a tool of it changed.

watching     one leader looks at the clinics that want notices ─► queue
sending      the same leader sends each clinic's oldest one, until it is delivered ─► the clinic's URL
endpoints    where to: set, rotated, taken back, sent again; the table ``notice_endpoints``
queue        what: the table ``notices``
signing      the headers of Standard Webhooks, and how secrets are kept
destination  what a URL may be, asked when it is set and again at each connection
"""
