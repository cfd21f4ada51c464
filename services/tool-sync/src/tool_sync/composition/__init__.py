"""The composition root.

parts    builds every part and passes it down
serve    starts and stops them in order
"""

from tool_sync.composition.serve import serve

__all__ = ["serve"]
