"""What this release cannot read, as a condition of SQL, for readers that let PostgreSQL pass over the rest.

Passing over is safe only for what is known: another type, or a newer schema of a known one, may be just what such a
reader should have seen. It must meet the event, and stop.
"""

from collections.abc import Mapping
from typing import Final

from tool_sync.log.codec import SCHEMAS


def unreadable(schemas: Mapping[str, int]) -> str:
    """True for a row of ``events`` whose type or schema a release with these schemas does not know.

    Types are literals: PostgreSQL hashes a list of constants, and compares a parameter's elements one by one.
    """
    known = ", ".join(f"'{name}'" for name in sorted(schemas))
    raised = "".join(f" WHEN '{name}' THEN {schema}" for name, schema in sorted(schemas.items()) if schema > 1)
    newest = f"CASE type{raised} ELSE 1 END" if raised else "1"
    return f"(type NOT IN ({known}) OR schema > {newest})"


UNREADABLE: Final = unreadable(SCHEMAS)
