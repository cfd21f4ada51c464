"""Who did what: one row for every read of patients and every write (ADR 56).

`entry` says what a row holds, `record` writes it in the transaction of what it tells of, `listing` reads rows,
`counting` counts them.
"""
