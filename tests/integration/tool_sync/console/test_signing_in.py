"""Who gets in, how long, and what no other site can make a browser do."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from tests.support.route_needs import routes

from devstack.tokens import Signer
from tool_sync.console.access import NEEDS
from tool_sync.console.app import build
from tool_sync.console.session import COOKIE, Sealer, TokenTooLong

from .conftest import KEY, Browser, said


async def test_nobody_is_shown_the_form_and_then_the_page_that_was_asked_for(browser: Browser, signer: Signer) -> None:
    asked = await browser.get("/search?q=Adler")
    assert asked.url.path == "/console/login"
    assert "You are not signed in" not in said(asked.text)
    entered = await browser.sign_in(signer.platform_token(), to=asked.url.params["to"])
    assert (entered.url.path, entered.url.params["q"]) == ("/console/search", "Adler")


@pytest.mark.parametrize("token", ["", "a.b.c", "ä", "x" * 9000])
async def test_a_wrong_token_is_told_and_sets_no_cookie(browser: Browser, token: str) -> None:
    answer = await browser.sign_in(token)
    assert answer.status_code == 401
    assert "You are not signed in" in said(answer.text)
    assert COOKIE not in browser.client.cookies


async def test_the_cookie_holds_the_token_sealed_and_for_this_site_alone(browser: Browser, signer: Signer) -> None:
    token = signer.platform_token()
    answer = await browser.client.post("/console/login", data={"token": f"Bearer {token}"})
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/console"} <= set(cookie.split("; "))
    assert token.split(".")[1] not in cookie
    assert Sealer(KEY, is_secure=True).unseal(browser.client.cookies[COOKIE]) == token
    assert Sealer(bytes(32), is_secure=True).unseal(browser.client.cookies[COOKIE]) is None


def test_a_token_that_no_browser_keeps_is_refused_by_name() -> None:
    with pytest.raises(TokenTooLong):
        Sealer(KEY, is_secure=True).seal("x" * 3000)


@pytest.mark.parametrize("cookie", ["", "x", "AAAA", "=", "é" * 40, "A" * 4000, '"'])
async def test_any_other_cookie_is_nobody(browser: Browser, cookie: str) -> None:
    headers = {b"Cookie": f"{COOKIE}={cookie}".encode()}
    answer = await browser.client.get("/console/", headers=headers, follow_redirects=True)
    assert answer.url.path == "/console/login"


async def test_a_header_of_a_program_does_not_open_a_page(browser: Browser, signer: Signer) -> None:
    answer = await browser.get("/", Authorization=f"Bearer {signer.platform_token()}")
    assert answer.url.path == "/console/login"


async def test_a_token_that_has_ended_ends_the_page_with_its_reason(browser: Browser, signer: Signer) -> None:
    ended = signer.platform_token(lifetime_seconds=-3600)
    browser.client.cookies.set(COOKIE, Sealer(KEY, is_secure=False).seal(ended), path="/console")
    assert "the token has expired" in await browser.text("/")
    part = await browser.client.get("/console/lights", headers={"HX-Request": "true"})
    assert (part.status_code, part.headers["hx-refresh"]) == (401, "true")


async def test_signing_out(operator: Browser) -> None:
    assert (await operator.send("/logout", on="/")).url.path == "/console/login"
    assert (await operator.get("/")).url.path == "/console/login"


async def test_a_form_of_somebody_else_is_refused(operator: Browser, make_browser: Callable[[], Browser]) -> None:
    for data in ({}, {"form_token": ""}, {"form_token": "0" * 64}, {"form_token": "ä"}):
        assert (await operator.client.post("/console/logout", data=data)).status_code == 403
    from_elsewhere = {"Sec-Fetch-Site": "cross-site"}
    token = (await operator.get("/")).text.split('name="form_token" value="')[1].split('"')[0]
    answer = await operator.client.post("/console/logout", data={"form_token": token}, headers=from_elsewhere)
    assert answer.status_code == 403
    assert (await operator.get("/")).url.path == "/console/"


async def test_only_paths_of_the_console_are_gone_to(browser: Browser, signer: Signer) -> None:
    for to in ("https://example.com/", "//example.com/", "/\\example.com", "javascript:x", "/\r\nX: y", "ä"):
        answer = await browser.client.post("/console/login", data={"token": signer.platform_token(), "to": to})
        assert answer.headers["location"] == "/console/"


@pytest.mark.parametrize("body", [b"\xff", b"a=" + b"x" * 20_000, b"&".join([b"a=b"] * 50), b"%ff=1"])
async def test_any_other_form_is_the_senders_fault(operator: Browser, body: bytes) -> None:
    for path in ("/login", "/logout"):
        answer = await operator.client.post(f"/console{path}", content=body)
        assert 400 <= answer.status_code < 500


async def test_pages_say_that_nothing_else_is_loaded(operator: Browser) -> None:
    answer = await operator.get("/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert "://" not in answer.text.replace("http://www.w3.org", "")


async def test_the_console_without_a_slash(browser: Browser) -> None:
    assert (await browser.client.get("/console")).headers["location"] == "/console/"


async def test_an_address_of_no_page_is_a_page(operator: Browser) -> None:
    assert "this address is of no page" in await operator.text("/nothing", 404)


async def test_a_clinic_sees_no_page_of_the_platforms(make_browser: Callable[[], Browser], signer: Signer) -> None:
    clinic = make_browser()
    await clinic.sign_in(signer.org_token(str(uuid4())))
    assert "this needs a token with the role platform" in await clinic.text("/lights", 403)


def test_every_page_says_what_it_needs() -> None:
    app = build(object(), Sealer(KEY, is_secure=True))  # type: ignore[arg-type] # it only keeps it
    assert set(routes(app)) == set(NEEDS)
