"""Whose account at Vapi a clinic's work is done in: the platform's, unless the clinic has one of its own (ADR 76).

port   what the reconciler asks: the account of a clinic, or why nothing may be sent for it
own    the accounts as this process has read them, and their keys as it has opened them
"""

from tool_sync.vapi.accounts.own import FollowedAccounts, OwnKey
from tool_sync.vapi.accounts.port import NOBODYS_OWN, Account, OwnAccounts, ReadsAhead, Unusable

__all__ = [
    "NOBODYS_OWN",
    "Account",
    "FollowedAccounts",
    "OwnAccounts",
    "OwnKey",
    "ReadsAhead",
    "Unusable",
]
