"""The fleet: which versions of which tools there are, and who should have them. Streams ``blueprint-*``, ``rollout-*``.

    contract   an argument model with its handler: comes with a release of assistant-api
    version    what is registered at Vapi: immutable, published at run time
    order      these clinics should have this version: a rollout

A newer order beats an older one, whatever the numbers of their versions are: so a roll-back is an order taken away, and
two releases side by side never write a tool back and forth.
"""

from tool_sync.domain.fleet.decide import Clinic, Rule, ToolDecision, decide_tool, decisions
from tool_sync.domain.fleet.evolve import evolve_fleet
from tool_sync.domain.fleet.state import Fleet, Order, OrderState, Version, ring_of

__all__ = [
    "Clinic",
    "Fleet",
    "Order",
    "OrderState",
    "Rule",
    "ToolDecision",
    "Version",
    "decide_tool",
    "decisions",
    "evolve_fleet",
    "ring_of",
]
