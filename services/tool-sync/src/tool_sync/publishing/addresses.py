"""Which addresses are public: anybody on the internet, and nobody's own network.

IPv6 is judged by what is handed out (2000::/3), as each way to write an IPv4 address in one, but 6to4 and Teredo, lies
outside of it. The rest is IANA's registries of special addresses, spelled out: `ipaddress` judges some of them
differently from one patch of Python to the next (`192.0.0.8`, CVE-2024-4032), and is asked last.
"""

from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Final

Address = IPv4Address | IPv6Address

_NAMED: Final = tuple(
    (ip_network(network), name)
    for network, name in (
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "carrier NAT"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.168.0.0/16", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "documentation"),
        ("198.18.0.0/15", "reserved"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("192.88.99.0/24", "6to4 relay"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("64:ff9b::/96", "NAT64"),
        ("64:ff9b:1::/48", "NAT64"),
        ("2001::/32", "Teredo"),
        ("2001::/23", "reserved"),
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4"),
        ("3fff::/20", "documentation"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
    )
)
_HANDED_OUT: Final = ip_network("2000::/3")


def _plain(address: Address) -> Address:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def is_loopback(address: Address) -> bool:
    """Whether the address is this machine's own."""
    return _plain(address).is_loopback


def why_not_public(address: Address) -> str | None:
    """The kind of an address that is not public; None for one that is."""
    plain = _plain(address)
    named = next((name for network, name in _NAMED if plain.version == network.version and plain in network), None)
    if named is not None:
        return named
    if not plain.is_global or (plain.version == 6 and plain not in _HANDED_OUT):
        return "reserved"
    return None
