"""A verified copy of the event log in a folder of Parquet files, which needs no database to be proved (ADR 87).

::

    events ──► stored ──► parquet ──► read back, chain recomputed ──► named ──► manifest.json     writing
    folder ──► manifest ──► each file's bytes ──► each event's hash and the one before it         verifying
                                                        └──► the hashes of the live log           live

Only `parquet` needs pyarrow, the extra ``archive`` of tool-sync.
"""
