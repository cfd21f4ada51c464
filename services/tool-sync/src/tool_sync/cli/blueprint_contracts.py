"""``tool-sync blueprint contract | contracts``: may a contract leave the code, and does this release lack one?"""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Final

from tool_sync.cli.exits import EXIT_FOUND
from tool_sync.cli.output import print_json, print_line, print_lines, say_not_looked_at, utc
from tool_sync.db import Connection
from tool_sync.publishing.contract_rules import ANSWERED_CONTRACTS
from tool_sync.queries.contract_use import ContractsUsed, ContractUse, contracts_used
from tool_sync.queries.explain_tool import UnknownTool

NOT_LOOKED_AT: Final = (
    "Vapi itself: older versions of tools that assistants pin there, and tools that nobody has registered by this log",
    "which calls came: tool-calls.v1 names the version of each for 7 days",
)


async def show_contract(connection: Connection, name: str, contract: int, days: int, *, as_json: bool) -> int:
    """Print who had a contract; returns the exit status: 0 only where nobody had it, or may get it.

    Raises :class:`~tool_sync.queries.explain_tool.UnknownTool`.
    """
    used = await contracts_used(connection, days)
    if name not in used.names:
        raise UnknownTool(name, used.names)
    found = used.of(name, contract)
    limits = _limits(used)
    if as_json:
        result = {"name": name, "contract": contract, "days": days, "unused": not found, "through": used.through,
                  "uses": [asdict(use) for use in found]}  # fmt: skip
        print_json("blueprint contract", result, not_looked_at=limits)
    else:
        if found:
            print_lines(line for use in found for line in _lines(use))
            print_line(f"contract {contract} of {name} must stay in the code")
        else:
            print_line(f"no clinic had contract {contract} of {name} within {days} days, and no rollout gives it")
        say_not_looked_at(limits)
    return EXIT_FOUND if found else 0


async def show_contracts(connection: Connection, days: int, *, as_json: bool) -> int:
    """Print every contract that is used, and whether this release has it; returns the exit status."""
    used = await contracts_used(connection, days)
    lacking = [use for use in used.uses if _is_lacking(use)]
    limits = _limits(used)
    if as_json:
        result = {
            "days": days,
            "through": used.through,
            "uses": [{**asdict(use), "in_release": not _is_lacking(use)} for use in used.uses],
        }
        print_json("blueprint contracts", result, not_looked_at=limits)
    else:
        print_lines(line for use in used.uses for line in _lines(use))
        for use in lacking:
            of = "a contract that the log does not name" if use.contract is None else f"contract {use.contract}"
            print_line(f"this release lacks {of} of {use.name}, which {_who(use)}")
        if not lacking:
            print_line(f"this release has every contract that clinics had within {days} days, or may get")
        say_not_looked_at(limits)
    return EXIT_FOUND if lacking else 0


def _is_lacking(use: ContractUse) -> bool:
    return use.contract != 0 and (use.name, use.contract) not in ANSWERED_CONTRACTS


def _limits(used: ContractsUsed) -> list[str]:
    young = [] if used.since is None else [f"what was before {utc(used.since)}, where the log begins"]
    return [*NOT_LOOKED_AT, *young]


def _lines(use: ContractUse) -> Iterator[str]:
    of = "a contract that the log does not name" if use.contract is None else f"contract {use.contract}"
    yield f"{use.name}, {of}: {_who(use)}"
    for org_id in use.org_ids:
        yield f"  organization {org_id}"
    if use.clinics > len(use.org_ids):
        yield f"  and {use.clinics - len(use.org_ids):,} more"


def _who(use: ContractUse) -> str:
    said = []
    if use.now:
        said.append(f"{use.now:,} {'clinic has' if use.now == 1 else 'clinics have'}")
    if former := use.clinics - use.now:
        said.append(f"{former:,} {'clinic' if former == 1 else 'clinics'} had until {utc(use.until)}")
    if use.orders:
        said.append(f"{'rollout' if len(use.orders) == 1 else 'rollouts'} {', '.join(use.orders)} may give")
    return ", ".join(said)
