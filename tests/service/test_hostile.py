"""What somebody with bad intentions sends: the service says no, stays up, and tells nobody what is not theirs."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import socket
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from tests.helpers import run_of
from tests.service.guarded import Place
from tests.service.serving import serving, sqlite, until
from tfhealth.client import Client, push
from tfhealth.service.app import ROUTERS
from tfhealth.wire.delta import Delta

RUN = "0" * 32
MARKUP = "</script><img src=x onerror=alert(1)>\"'{{7*7}}${7*7}<%= 7*7 %>"
OPEN = {"/healthz", "/login", "/logout", "/static/report.css"}
"""Routes that ask nobody who they are."""

ROUTES = sorted(
    (method, route.path)
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute)
    for method in route.methods
)


@pytest.fixture(scope="module")
def run(place: Place, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a judged run whose every text is markup."""
    folder = tmp_path_factory.mktemp("run") / "run"
    run_of(
        {("gradient", MARKUP, "nonfinite"): [0.0, 1.0], ("log", MARKUP, "value"): [1.0, 2.0]},
        {("fact", "model"): {"name": MARKUP}, ("gradient", MARKUP): {"layer": MARKUP}},
        folder,
        script=MARKUP,
        git=MARKUP,
        packages={MARKUP: MARKUP},
    )
    with (
        Client(place.address, place.tokens["ingest"]) as sender,
        Client(place.address, place.tokens["admin"]) as client,
    ):
        found = push(sender, folder).run
        until(lambda: client.summary("default", found).verdict)
    return found


def filled(path: str, run: str) -> str:
    """Return a path with what stands in its place for each part."""
    parts = {"project": "default", "run": run, "format": "html"}
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda part: parts.get(part[1], "1"), path)


def put(place: Place, body: bytes, run: str = RUN, **headers: str) -> httpx.Response:
    path = f"/api/v1/projects/default/runs/{run}"
    return place.ask("PUT", path, "ingest", content=body, headers={"Content-Type": "application/json", **headers})


def delta(**keys: Any) -> bytes:
    return json.dumps({"after": 0, **keys}).encode()


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_route_asks_who_comes(place: Place, run: str, method: str, path: str) -> None:
    """Nobody gets anything without a token, and nobody another project's by their own; what is open is listed."""
    if path in OPEN:
        return
    asks = path.endswith(("/compare", "/report"))
    address = filled(path, run) + (f"?format=html&before={run}&after={run}" if asks else "")
    assert place.ask(method, address).status_code == 401
    if "{project}" in path:
        foreign = place.ask(method, address, "other")
        assert foreign.status_code in ((403, 404) if method == "GET" else (403, 404, 422))
        assert run not in foreign.text


@pytest.mark.parametrize("path", sorted({path for method, path in ROUTES if method == "GET"}))
def test_markup_stays_text_on_every_page(place: Place, run: str, path: str) -> None:
    """Whatever a run says of itself is no tag, no script and no template."""
    headers = {"Accept": "text/html", "Authorization": f"Bearer {place.tokens['admin']}"}
    with httpx.stream("GET", f"{place.address}{filled(path, run)}", headers=headers, timeout=60) as found:
        if "text/html" in found.headers.get("content-type", ""):  # what is a stream has no end
            found.read()
            assert [mark for mark in ("<img src=x", "</script><img", "{{49}}", ">49") if mark in found.text] == []
            assert "content-security-policy" in found.headers


@pytest.mark.parametrize("path", ["/", "/login", "/nope", "/api/v1/whoami", "/static/service.css", "/healthz", "/%00"])
@pytest.mark.parametrize("token", ["", "admin"])
def test_every_answer_keeps_browsers_careful(place: Place, path: str, token: str) -> None:
    """Pages, files, errors and data: none is sniffed, framed by others, or kept where it is private."""
    found = place.ask("GET", path, token, headers={"Accept": "text/html"})
    headers = found.headers
    assert 'name="referrer"' not in found.text  # it would overrule the header below, which forms need
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert (headers.get("cache-control") == "no-store") == (not path.startswith("/static/"))


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        (b"{", {}, 422),
        (b"[" * 100_000, {}, 422),
        (b"\xff\xfe", {}, 422),
        (b'{"after": NaN}', {}, 422),
        (b'{"after": 1e999}', {}, 422),
        (delta(after=-1), {}, 422),
        (delta(more="x"), {}, 422),
        (delta(stretches=[{"table": "run", "first": 1, "rows": [["x"]]}]), {}, 422),
        (delta(stretches=[{"table": "note; DROP TABLE run", "first": 1, "rows": [["x", "y"]]}]), {}, 422),
        (delta(stretches=[{"table": "note", "first": 1, "rows": [["x"]]}]), {}, 422),
        (delta(stretches=[{"table": "row", "first": 1, "rows": [[2**70, 1, ""]]}]), {}, 422),
        (delta(stretches=[{"table": "layout", "first": 1, "rows": [["[" * 50_000]]}]), {}, 422),
        (delta(stretches=[{"table": "layout", "first": 1, "rows": [["9" * 5000]]}]), {}, 422),
        (delta(stretches=[{"table": "note", "first": 5, "rows": [["x", "y"]]}]), {}, 409),
        (b"x" * 2_000_001, {}, 413),
        (gzip.compress(b" " * 50_000_000), {"Content-Encoding": "gzip"}, 413),
        (gzip.compress(gzip.compress(b"{}")), {"Content-Encoding": "gzip"}, 422),
        (gzip.compress(delta())[:-9], {"Content-Encoding": "gzip"}, 400),
        (b"no gzip", {"Content-Encoding": "gzip"}, 400),
        (delta(), {"Content-Encoding": "br"}, 415),
        (delta(), {"Content-Digest": f"sha-256=:{b64encode(hashlib.sha256(b'').digest()).decode()}:"}, 400),
        (delta(), {"Content-Digest": "md5=:AAAA:"}, 400),
    ],
    ids=range(22),
)
def test_a_delta_that_is_none_is_refused_whole(
    place: Place, body: bytes, headers: dict[str, str], expected: int
) -> None:
    """With what is wrong, in the one shape of errors, and nothing of it is kept."""
    found = put(place, body, **headers)
    assert found.status_code == expected
    assert found.json().keys() == {"detail", "faults"}
    assert place.ask("GET", f"/api/v1/projects/default/runs/{RUN}", "admin").status_code == 404


@pytest.mark.parametrize("path", ["/login", "/projects/default/tokens", "/api/v1/tokens", "/api/v1/projects"])
def test_no_other_body_is_large(place: Place, path: str) -> None:
    """Forms too are cut off, where the length is said and where it is not."""
    for content in (b"x" * 1_000_001, iter([b"x" * 500_000] * 3)):
        found = place.ask(
            "POST",
            path,
            "admin",
            content=content,
            headers={"Content-Type": "application/x-www-form-urlencoded", "Origin": place.address},
        )
        assert found.status_code == 413


@pytest.mark.parametrize(
    "name",
    ["%2e%2e", "..%2f..%2fetc%2fpasswd", "%00", "a%0ab", "-a", "a" * 64, "A", "a'--", "%F0%9F%98%80"],
)
def test_names_and_identities_are_no_paths(place: Place, name: str) -> None:
    """A project or a run of another shape than ours is none, wherever it is named."""
    for path in (f"/api/v1/projects/{name}/runs/{RUN}", f"/api/v1/projects/default/runs/{name}", f"/static/{name}"):
        assert place.ask("GET", path, "admin").status_code in (404, 405, 422)
    assert put(place, delta(meta={}), run=name).status_code in (404, 405, 422)
    assert place.ask("POST", "/api/v1/projects", "admin", json={"name": name}).status_code == 422


@pytest.mark.parametrize(
    "text", ["' OR 1=1 --", "{{ config }}", "${jndi:ldap://x}", "%s%n", "$(reboot)", "\u202e", "🙂"]
)
def test_texts_come_back_as_they_were_sent(place: Place, text: str) -> None:
    """Databases and templates are given values, and no value is part of what they are told to do."""
    run = hashlib.sha256(text.encode()).hexdigest()[:32]
    meta = {"name": text, "status": "completed", "started": text, "steps": text}
    assert put(place, delta(meta=meta), run=run).status_code == 200
    assert place.ask("GET", f"/api/v1/projects/default/runs/{run}", "admin").json()["name"] == text
    asked = place.ask("GET", "/projects/default/runs", "admin", params={"q": text, "sort": text, "page": text})
    assert asked.status_code in (200, 422)


def test_a_change_must_come_from_our_own_page(place: Place) -> None:
    """Of a browser that is logged in, and of one whose proxy says who it is; the API by a token needs no page."""
    value = place.ask("POST", "/login", data={"token": place.tokens["own"]}).cookies["tfhealth"]
    form = {"name": "x", "scope": "read"}

    def post(**headers: str) -> int:
        known = {"Cookie": f"tfhealth={value}", **headers}
        return place.ask("POST", "/projects/default/tokens", data=form, headers=known).status_code

    assert post(Origin=place.address) == 201
    assert post(**{"Sec-Fetch-Site": "same-origin"}) == 201
    assert post() == 403
    assert post(Origin="https://evil.example") == 403
    assert post(Origin="null") == 403
    assert post(Origin=place.address, **{"Sec-Fetch-Site": "cross-site"}) == 403
    assert post(**{"Sec-Fetch-Site": "same-site", "HX-Request": "true"}) == 403
    by_proxy = place.ask("POST", "/projects/default/tokens", data=form, headers={"X-User": "ada"})
    assert by_proxy.status_code == 403


def test_a_login_is_not_forged_either(place: Place) -> None:
    """Another site logs nobody in by a token of its own, and nobody out."""
    elsewhere = {"Origin": "https://evil.example"}
    form = {"token": place.tokens["own"]}
    assert place.ask("POST", "/login", data=form, headers=elsewhere).status_code == 403
    assert place.ask("POST", "/logout", headers=elsewhere).status_code == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "", "a/b", 'x"><script>', "localhost:99999999"]
)
def test_without_tokens_only_this_machine_s_names_are_answered(open_place: str, host: str) -> None:
    """A page elsewhere that makes its own name lead here gets nothing."""
    assert httpx.get(f"{open_place}/api/v1/whoami", headers={"Host": host}).status_code == 400


@pytest.fixture(scope="module")
def open_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(sqlite(tmp_path_factory.mktemp("open"))) as address:
        yield address


def test_without_tokens_another_site_changes_nothing(open_place: str) -> None:
    """Everybody on this machine may do all, but a page that they look at may not do it for them."""
    asked = {"json": {"name": "forged"}, "headers": {"Origin": "https://evil.example"}}
    assert httpx.post(f"{open_place}/api/v1/projects", **asked).status_code == 403
    assert [one["name"] for one in httpx.get(f"{open_place}/api/v1/projects").json()] == ["default"]


def test_a_host_is_never_repeated(place: Place) -> None:
    """Where any name is answered, none of them is written into a page or an address."""
    found = place.ask("GET", "/", headers={"Host": "evil.example", "Accept": "text/html"})
    assert "evil" not in found.text + str(found.headers)
    assert place.ask("GET", "/", headers={"Host": 'x"><script>'}).status_code == 400


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil\r\n\r\n", {b"400"}),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n", {b"400"}),
        (
            b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            {b"400", b"401"},
        ),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n", {b"400", b"401", b"431"}),
        (b"\x16\x03\x01\x02\x00\x01", {b"400"}),
    ],
    ids=["two hosts", "negative length", "two lengths", "long header", "TLS"],
)
def test_what_is_no_http_is_refused(place: Place, sent: bytes, expected: set[bytes]) -> None:
    """What a parser may let pass gets no further than the question for a token; and the next one is answered."""
    host, _, port = place.address.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), 60) as connection:
        connection.sendall(sent)
        assert connection.recv(100).split()[1] in expected
    assert place.ask("GET", "/healthz").status_code == 200


def test_a_delta_of_a_model_is_what_the_client_sends() -> None:
    """The bodies above are refused for what is wrong with them; the one that they start from is right."""
    assert Delta.model_validate_json(delta()).after == 0
