"""Patients are forgotten when they ask, and stay so after a restore (ADR 64).

names     which appointments are one patient's
hashes    what is kept of a number outside the database: keyed hashes
forget    the rows that go, and what is blanked: one clinic's, in one transaction
erase     an erasure: found, forgotten, a receipt and a record of the list
again     the list `erasures.v1`, applied to a database that was set back; and whether anything of it is there
guard     suspends reads of patients until the list was applied
receipts  the table `erasures`, as HTTP shows it
calls     phone calls at Vapi, deleted in the background where a setting allows it
export    what there is of one patient, for the patient
"""
