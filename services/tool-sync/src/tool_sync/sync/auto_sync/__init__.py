"""Looks at every assistant and every tool of ours at Vapi again, at least once in a period, as bulk (ADR 41).

    pages       the account's lists, a page at a time over the period: what stands there as it should is acquitted
    assistants  what a list shows otherwise, or has not shown for long, is read by its id; only that convicts
    tools       the same for tools
    loop        one page of each list where it is due, then a round of single reads

What differs becomes an event of the org's stream, and the org's own run puts it right; words of a tool only where its
drift policy says so (ADR 49), and then they are told once for each difference. A look that is lost with its process is
made again: `object_looks` says since when each object was not looked at.
"""

from tool_sync.sync.auto_sync.loop import AutoSync

__all__ = ["AutoSync"]
