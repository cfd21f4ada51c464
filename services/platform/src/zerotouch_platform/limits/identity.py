"""Whom a request counts for, by its head alone.

    a valid token of a clinic's     its holder, and the clinic
    a valid token of the platform's its holder
    anything else                   the address that it comes from, and nobody else: no clinic pays for a stranger

A holder is a role, a clinic and a subject. Not the token's `jti`: whoever asks for a new token would begin anew.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final
from uuid import UUID

from starlette.types import Scope

from zerotouch_platform.auth import Caller, OrgMember, TokenRefused, TokenVerifier
from zerotouch_platform.limits.limiter import Key, Limiter
from zerotouch_platform.limits.policy import Of, Refusal

Network = IPv4Network | IPv6Network

KNOWN_SECONDS: Final = 60.0
"""So long a token that was valid says whose requests are; whether it still is, the route asks each time."""
_FORWARDED_MAX: Final = 20
"""Addresses of `X-Forwarded-For` that are looked at."""
_IPV6_PREFIX: Final = 64
"""One customer's line has that many bits of addresses at least: they are one."""


class Identities:
    """Who sends what; at most ``known_max`` tokens are remembered. ``proxies``: whose `X-Forwarded-For` is believed."""

    def __init__(self, verifier: TokenVerifier, limiter: Limiter, proxies: Sequence[Network], known_max: int) -> None:
        self._verifier, self._limiter, self._proxies = verifier, limiter, proxies
        self._known: OrderedDict[bytes, tuple[float, Sequence[Key]]] = OrderedDict()
        self._known_max = known_max

    def of(self, scope: Scope, now: float) -> Sequence[Key] | Refusal:
        """The keys of a request; a refusal where its address sends so much without a valid token that no further one is
        looked at. A token that was valid a moment ago is not held up by that."""
        authorization = _header(scope, b"authorization")
        digest = hashlib.blake2b(authorization or b"", digest_size=16).digest()
        known = self._known.get(digest)
        if known is not None and now - known[0] < KNOWN_SECONDS:
            self._known.move_to_end(digest)
            return known[1]
        stranger = Key(Of.ADDRESS, self.address(scope).encode())
        if authorization is None:
            return (stranger,)
        if (refusal := self._limiter.refusal(stranger, now)) is not None:
            return refusal
        try:
            caller = self._verifier.caller_of(authorization.decode("latin-1"))
        except TokenRefused:
            return (stranger,)
        keys = keys_of(caller)
        self._known[digest] = now, keys
        self._known.move_to_end(digest)
        if len(self._known) > self._known_max:
            self._known.popitem(last=False)
        return keys

    def address(self, scope: Scope) -> str:
        """Where a request comes from: the peer, or what trusted proxies say, read from the nearest to the farthest."""
        client = scope.get("client")
        nearest = _parsed(client[0]) if client else None
        if nearest is None:
            return ""
        if self._is_proxy(nearest):
            said = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
            hops = b",".join(said).decode("latin-1").rsplit(",", _FORWARDED_MAX)[-_FORWARDED_MAX:]
            for hop in reversed(hops):
                if (address := _parsed(hop.strip())) is None:
                    break
                nearest = address
                if not self._is_proxy(address):
                    break
        return _line(nearest)

    def _is_proxy(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._proxies)


def keys_of(caller: Caller) -> Sequence[Key]:
    """Whom a caller's requests count for."""
    org_id = caller.org_id.bytes if isinstance(caller, OrgMember) else b""
    holder = hashlib.blake2b(org_id + caller.subject.encode(errors="surrogatepass"), digest_size=16).digest()
    if isinstance(caller, OrgMember):
        return Key(Of.TOKEN, holder), key_of(caller.org_id)
    return (Key(Of.PLATFORM, holder),)


def key_of(org_id: UUID) -> Key:
    """A clinic's."""
    return Key(Of.ORG, org_id.bytes)


def _header(scope: Scope, wanted: bytes) -> bytes | None:
    """The first of that name, which is the one that the routes read."""
    return next((value for name, value in scope["headers"] if name == wanted), None)


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.strip("[]"))
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _line(address: IPv4Address | IPv6Address) -> str:
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((int(address), _IPV6_PREFIX), strict=False))
