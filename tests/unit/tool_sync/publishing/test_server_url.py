"""Where a tool's calls may go: one public https host, however it is spelled."""

from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tool_sync.publishing.addresses import why_not_public
from tool_sync.publishing.resolving import resolve

from .files import DIRECTIONS, PUBLIC, said

NOT_PUBLIC = {
    "0.0.0.0": "unspecified",  # noqa: S104 - to be refused
    "0.1.2.3": "unspecified",
    "10.0.0.1": "private",
    "172.31.255.255": "private",
    "192.168.1.1": "private",
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "169.254.169.254": "link-local",
    "100.64.0.1": "carrier NAT",
    "100.100.100.200": "carrier NAT",
    "192.0.0.8": "reserved",
    "192.0.2.1": "documentation",
    "198.18.0.1": "reserved",
    "192.88.99.1": "6to4 relay",
    "224.0.0.1": "multicast",
    "240.0.0.1": "reserved",
    "255.255.255.255": "reserved",
    "::": "unspecified",
    "::1": "loopback",
    "::7f00:1": "reserved",
    "fe80::1": "link-local",
    "fec0::1": "site-local",
    "fd00::1": "private",
    "ff02::1": "multicast",
    "64:ff9b::808:808": "NAT64",
    "64:ff9b:1::a00:1": "NAT64",
    "2002:7f00:1::1": "6to4",
    "2002:808:808::1": "6to4",
    "2001::1": "Teredo",
    "2001:1ff::1": "reserved",
    "2001:db8::1": "documentation",
    "3fff::1": "documentation",
    "5f00::1": "reserved",
    # github.com/NousResearch/hermes-agent/pull/28130: Alibaba's metadata service, mapped, passed as public.
    "::ffff:100.100.100.200": "carrier NAT",
    "::ffff:127.0.0.1": "loopback",
    # github.com/flytohub/flyto-core/pull/20: a metadata service behind NAT64.
    "64:ff9b::a9fe:a9fe": "NAT64",
}


@pytest.mark.parametrize(("text", "kind"), NOT_PUBLIC.items())
async def test_an_address_that_is_not_public_is_refused_by_its_name_and_as_an_answer(text: str, kind: str) -> None:
    address = ip_address(text)
    assert why_not_public(address) == kind
    problem = f"server_url: leads to {address}, which is {kind}; write a host whose every address is public"
    host = f"[{text}]" if ":" in text else text
    assert await said(DIRECTIONS | {"server_url": f"https://{host}/x"}) == [problem]
    assert await said(DIRECTIONS, PUBLIC, address) == [problem]  # one bad address among good ones is enough


@pytest.mark.parametrize(
    "text", ["8.8.8.8", "93.184.215.14", "2606:4700:4700::1111", "::ffff:8.8.8.8", "100.63.255.255"]
)
def test_a_public_address_is_public(text: str) -> None:
    assert why_not_public(ip_address(text)) is None


@pytest.mark.parametrize(
    "host",
    [
        "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "127.1", "127.0.0.1.", "0", "127.0.0.01", "256.0.0.1",
        "localhost.", "[::1%25lo]", "[::ffff:999.0.0.1]", "[1::2::3]", "[::1", "xn--", "-a.example", "a..example",
        "１２７.0.0.1", "127。0。0。1", "münchen.example", "ex%61mple.com", "a_b\\c.example", "ex ample.com", "",
        f"{'a' * 64}.example", "user@directions.example", "u:p@127.0.0.1", "directions.example:0",
        "directions.example:65536", "directions.example:x", "directions.example:80:80", "1.2.3.0x4",
    ],
)  # fmt: skip
async def test_an_odd_spelling_is_refused_whatever_it_would_lead_to(host: str) -> None:
    assert await said(DIRECTIONS | {"server_url": f"https://{host}/x"})


@pytest.mark.parametrize(
    "url",
    ["http://directions.example/", "ftp://directions.example/", "//directions.example/", "directions.example",
     "https:directions.example", "https://directions.example/#a", "https://directions.example/\n",
     "javascript:alert(1)", f"https://directions.example/{'a' * 230}"],
)  # fmt: skip
async def test_what_is_no_plain_https_url_is_refused(url: str) -> None:
    assert await said(DIRECTIONS | {"server_url": url})


@pytest.mark.parametrize(
    "url",
    ["https://directions.example", "HTTPS://Directions.Example/a?b=c%20d", "https://directions.example:8443/x",
     "https://xn--mnchen-3ya.example/", "https://8.8.8.8/x", "https://[2606:4700:4700::1111]:443/"],
)  # fmt: skip
async def test_a_plain_https_url_of_a_public_host_passes(url: str) -> None:
    assert await said(DIRECTIONS | {"server_url": url}) == []


async def test_loopback_passes_where_it_is_allowed_and_nothing_else_does() -> None:
    for url in ("http://localhost:3005/x", "https://localhost/x"):
        document = DIRECTIONS | {"server_url": url}
        assert await said(document, ip_address("127.0.0.1"), ip_address("::1"), loopback_allowed=True) == []
        assert len(await said(document, ip_address("127.0.0.1"), ip_address("10.0.0.1"), loopback_allowed=True)) >= 2
        assert await said(document, ip_address("127.0.0.1"))
    assert await said(DIRECTIONS | {"server_url": "http://directions.example/"}, loopback_allowed=True)


async def test_this_machines_name_service_is_asked_for_every_address() -> None:
    assert {address.is_loopback for address in await resolve("localhost")} == {True}
    with pytest.raises(OSError, match=r".*"):
        await resolve("no-such-host.invalid")


@settings(max_examples=150, deadline=None)
@given(st.ip_addresses(v=4, network="127.0.0.0/8") | st.ip_addresses(v=4, network="10.0.0.0/8"), st.data())
async def test_no_spelling_of_a_private_address_passes(address: object, data: st.DataObject) -> None:
    parts = [int(part) for part in str(address).split(".")]
    forms = [data.draw(st.sampled_from(["{:d}", "{:#x}", "0{:o}", "0X{:X}"])) for _ in parts]
    whole = int.from_bytes(bytes(parts))
    spelled = ".".join(form.format(part) for form, part in zip(forms, parts, strict=True))
    short = f"{parts[0]}.{whole & 0xFFFFFF}"
    for host in (spelled, f"{spelled}.", str(whole), hex(whole), short, f"[::ffff:{address}]"):
        assert await said(DIRECTIONS | {"server_url": f"https://{host}/"})
