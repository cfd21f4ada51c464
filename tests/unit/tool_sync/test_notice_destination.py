"""Where a notice may go: judged by its address when it is connected to, whatever the name said before."""

from socket import AF_INET, AF_INET6, AddressFamily
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from tool_sync.notices.destination import NotPublic, PublicResolver, address_problem, url_problems


class Names(AbstractResolver):
    """Answers with these addresses."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses

    async def resolve(self, host: str, port: int = 0, family: AddressFamily = AF_INET) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=one, port=port, family=AF_INET6 if ":" in one else AF_INET,
                          proto=0, flags=0)
            for one in self._addresses
        ]  # fmt: skip

    async def close(self) -> None: ...


PRIVATE = ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fe80::1%eth0", "::ffff:10.0.0.1", "64:ff9b::7f00:1",
           "0.1.2.3", "100.64.0.1", "fd00::1"]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
async def test_a_name_that_leads_to_an_address_of_ours_is_not_connected_to(address: str) -> None:
    resolver = PublicResolver(loopback_allowed=False, resolver=Names("93.184.216.34", address))
    with pytest.raises(NotPublic) as refused:
        await resolver.resolve("hooks.example", 443)
    assert address not in str(refused.value)


async def test_a_public_name_gives_the_addresses_that_were_judged() -> None:
    resolver = PublicResolver(loopback_allowed=False, resolver=Names("93.184.216.34", "2606:2800:220:1::1"))
    assert [one["host"] for one in await resolver.resolve("hooks.example", 443)] == [
        "93.184.216.34",
        "2606:2800:220:1::1",
    ]


async def test_loopback_alone_is_connected_to_where_that_is_allowed() -> None:
    assert await PublicResolver(loopback_allowed=True, resolver=Names("127.0.0.1", "::1")).resolve("localhost")
    with pytest.raises(NotPublic):
        await PublicResolver(loopback_allowed=True, resolver=Names("127.0.0.1", "10.0.0.1")).resolve("localhost")


@pytest.mark.parametrize(
    "url",
    ["https://127.0.0.1/", "https://10.1.2.3/", "https://[::1]/", "https://2130706433/", "https://0x7f.1/",
     "http://93.184.216.34/", "http://hooks.example/", "https://user:pass@93.184.216.34/", "ftp://93.184.216.34/", "",
     "https://169.254.169.254/latest/meta-data"],
)  # fmt: skip
async def test_a_url_that_names_an_address_is_judged_before_it_is_asked(url: str) -> None:
    assert await address_problem(url, loopback_allowed=False) is not None


@pytest.mark.parametrize(
    "url", ["https://93.184.216.34/x", "https://hooks.example/x?y=1", "https://hooks.example:8443"]
)
async def test_others_are_not(url: str) -> None:
    assert await address_problem(url, loopback_allowed=False) is None


async def test_every_problem_of_a_url_is_told_when_it_is_set() -> None:
    async def nowhere(_host: str) -> Any:
        raise OSError("nobody knows it")

    assert await url_problems("https://hooks.example/#x", nowhere, loopback_allowed=False) == [
        "url: has a fragment, which is never sent; leave out what stands from # on",
        "url: names hooks.example, which does not resolve; write a host that the internet knows",
    ]
