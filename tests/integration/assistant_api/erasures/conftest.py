"""The fixtures of tool calls serve here too: patients come by calling."""

from ..tool_calls.caller import caller, harness, org_id

__all__ = ["caller", "harness", "org_id"]
