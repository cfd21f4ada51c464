"""The composition root.

dependencies   builds every part and passes it down
serve          starts and stops them in order
"""

from tool_sync.app.serve import serve

__all__ = ["serve"]
