"""Rules for ``server_url``: where Vapi sends the calls of a tool that another service answers.

One host, spelled in the one way that every reader reads alike; whatever two parsers may read differently is refused.
"""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from socket import inet_aton
from typing import Final

from tool_sync.publishing.addresses import Address, is_loopback, why_not_public
from tool_sync.publishing.lint_problem import LintProblem

URL_MAX: Final = 255
"""Characters: the width of ``system_tools.webhook_url``."""
_WHERE: Final = "server_url"
_URL: Final = re.compile(r"(?P<scheme>[a-z]+)://(?P<authority>[^/?#]*)(?P<rest>[^#]*)(?P<fragment>#.*)?", re.IGNORECASE)
_AUTHORITY: Final = re.compile(r"(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?", re.IGNORECASE)
_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_ODD: Final = re.compile(r"[^\x21-\x7e]|[\\\"<>^`{|}]")


@dataclass(frozen=True, slots=True)
class ServerHost:
    """The host that a URL names. ``address`` is None where the name service has to be asked."""

    name: str
    address: Address | None
    encrypted: bool


@dataclass(frozen=True, slots=True)
class ServerUrl:
    """What a URL says, and what is wrong with how it is written. ``host`` is None where none can be read."""

    host: ServerHost | None
    problems: tuple[LintProblem, ...]


def read_server_url(url: str) -> ServerUrl:
    """Take a URL apart, without asking anybody."""
    found = []
    if len(url) > URL_MAX:
        found.append(_problem(f"has {len(url)} characters", f"write at most {URL_MAX}"))
    if _ODD.search(url):
        return ServerUrl(None, (*found, _problem("holds a character that is none of a URL's",
                         "write a host in ASCII (xn--…) and the rest percent-encoded")))  # fmt: skip
    form = _URL.fullmatch(url)
    if form is None or (scheme := form["scheme"].lower()) not in ("http", "https"):
        return ServerUrl(None, (*found, _problem("is no https URL", "write https://host/path")))
    if form["fragment"] is not None:
        found.append(_problem("has a fragment, which is never sent", "leave out what stands from # on"))
    authority = form["authority"]
    if "@" in authority:
        found.append(_problem("holds a user's name or password", "name a credential at Vapi instead"))
        authority = authority.rpartition("@")[2]
    host, problems = _host(authority)
    return ServerUrl(host and ServerHost(host[0], host[1], scheme == "https"), (*found, *problems))


def address_problems(
    host: ServerHost, addresses: tuple[Address, ...] | OSError, *, loopback_allowed: bool
) -> list[LintProblem]:
    """What is wrong with where the host is. Every address counts: Vapi may take any."""
    if isinstance(addresses, OSError) or not addresses:
        return [_problem(f"names {host.name}, which does not resolve", "write a host that the internet knows")]
    if loopback_allowed and all(map(is_loopback, addresses)):
        return []
    found = [
        _problem(f"leads to {address}, which is {kind}", "write a host whose every address is public")
        for address in addresses
        if (kind := why_not_public(address))
    ]
    if not host.encrypted:
        found.append(_problem("is not encrypted: patients' data go there", "write https"))
    return found


def _problem(what: str, instead: str) -> LintProblem:
    return LintProblem(_WHERE, what, instead)


def _host(authority: str) -> tuple[tuple[str, Address | None] | None, list[LintProblem]]:
    form = _AUTHORITY.fullmatch(authority)
    if form is None:
        return None, [_problem("names no host that can be read", "write https://host/path")]
    found = []
    if form["port"] is not None and not 1 <= int(form["port"]) <= 65535:
        found.append(_problem(f"has the port {form['port']}", "write one from 1 to 65535, or none"))
    name = form["host"].lower()
    if name.startswith("["):
        try:
            return (name, IPv6Address(name[1:-1])), found
        except AddressValueError:
            return None, [*found, _problem(f"names {name}, which is no address", "write an IPv6 address in []")]
    if _NUMBER.fullmatch(name.rstrip(".").rpartition(".")[2]):
        return _ipv4(name, found)
    if name.endswith("."):
        found.append(_problem("names a host with a dot at its end", "leave the dot out"))
        name = name.rstrip(".")
    if len(name) > 253 or not all(map(_LABEL.fullmatch, name.split("."))):
        return None, [*found, _problem(f"names {name[:80]!r}, which is no host", "write labels of 1 to 63 characters")]
    return (name, None), found


def _ipv4(name: str, found: list[LintProblem]) -> tuple[tuple[str, Address | None] | None, list[LintProblem]]:
    try:
        return (name, IPv4Address(name)), found
    except AddressValueError:
        pass
    # Octal, hexadecimal, one number, or fewer than four: some read an address there, and some do not.
    try:
        meant: Address | None = IPv4Address(inet_aton(name.rstrip(".")))
    except OSError:
        meant = None
    reading = f"some read as {meant}" if meant else "is no address"
    problem = _problem(f"names {name}, which {reading}", "write four decimal numbers, or a host's name")
    return (None if meant is None else (name, meant)), [*found, problem]
