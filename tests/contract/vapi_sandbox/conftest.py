"""The tests under `sdk/` run in the SDK's own environment, started by `test_official_sdk.py`; not in this one."""

collect_ignore = ["sdk"]
