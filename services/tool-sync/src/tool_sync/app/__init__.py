"""The composition root.

front          what answers before anything works: HTTP, health, tokens, limits, the console
starting       the database that is waited for
dependencies   builds every part that another one asks for anything, and passes it down
clients        who is asked over a network; limits: the settings as the values that parts take
loops          what runs, by its name
health         what is said of the parts
serve          starts and stops them in order
serve_console  the console as a process of its own
"""

from tool_sync.app.serve import serve
from tool_sync.app.serve_console import serve_console

__all__ = ["serve", "serve_console"]
