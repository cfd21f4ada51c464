"""What an ID token must be to be believed (OpenID Connect Core 1.0, section 3.1.3.7). Pure but for the time of day."""

import hmac
from collections.abc import Mapping
from typing import Any, Final

import jwt

from zerotouch_platform.auth import LEEWAY_SECONDS
from zerotouch_platform.public_key import Algorithm, PublicKey
from zerotouch_platform.token_keys import KeyUnknown

SUBJECT_CHARACTERS_MAX: Final = 180
"""The standard's 255 do not fit into an actor of the log; providers use up to a hundred."""
_CLOCKS: Final = f"the clock of one of us is wrong: they may differ by {LEEWAY_SECONDS} s"


class IdTokenRefused(Exception):
    """The token does not say who has signed in. ``reason`` is for that person, and names nothing of the token."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def claims_of(
    token: str, keys: Mapping[str, PublicKey], *, algorithm: Algorithm, issuer: str, client_id: str, nonce: str
) -> Mapping[str, Any]:
    """The claims of a token that this issuer made for us, now and for this ``nonce``.

    The algorithm is the configured one, never the token's own choice. Raises :class:`IdTokenRefused`, and
    :class:`KeyUnknown` where ``keys`` have not the one that it names: the provider may have a new one.
    """
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            _key_of(token, keys),
            algorithms=[algorithm],
            issuer=issuer,
            audience=client_id,
            leeway=LEEWAY_SECONDS,
            options={"require": ["iss", "sub", "aud", "exp", "iat", "nonce"]},
        )
    except jwt.ExpiredSignatureError:
        raise IdTokenRefused(f"what the provider says had ended before it arrived: {_CLOCKS}") from None
    except jwt.ImmatureSignatureError:
        raise IdTokenRefused(f"what the provider says is not good yet: {_CLOCKS}") from None
    except (jwt.InvalidTokenError, ValueError, OverflowError):
        raise IdTokenRefused("what the provider says was not made for this console, or not by that provider") from None
    # Of several audiences the one that asked is named, and where somebody is named it is us.
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if claims.get("azp", None if several else client_id) != client_id:
        raise IdTokenRefused("what the provider says was made for another application")
    said = claims["nonce"]
    if not isinstance(said, str) or not hmac.compare_digest(said.encode(errors="replace"), nonce.encode()):
        raise IdTokenRefused("what the provider says belongs to another sign-in: begin again")
    if not claims["sub"] or len(claims["sub"]) > SUBJECT_CHARACTERS_MAX:
        raise IdTokenRefused("the provider's id of you is too long, or empty")
    return claims


def _key_of(token: str, keys: Mapping[str, PublicKey]) -> PublicKey:
    name = jwt.get_unverified_header(token).get("kid")
    if name is None and len(keys) == 1:
        return next(iter(keys.values()))
    if name is None or name not in keys:
        raise KeyUnknown
    return keys[name]
