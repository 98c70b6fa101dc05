"""Who is let in, how far, and how they are known."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network

import httpx
import pytest
from sqlalchemy import select, update

from tests.service.guarded import WRONG, Place
from tests.service.serving import heard, until
from tfhealth.service.peers import Peer, peer
from tfhealth.service.settings import Settings
from tfhealth.store.tables import Attempt, Login, StoredRun, Token
from tfhealth.store.tables.base import now

RUN = "0" * 32
HERE = {"Origin": "http://127.0.0.1"}


def log_in(place: Place, token: str, **form: str) -> httpx.Response:
    return place.ask("POST", "/login", data={"token": place.tokens.get(token, token), **form})


def cookie(place: Place, token: str) -> dict[str, str]:
    """Log in; return the headers of a browser that did, and looks at a page of the service."""
    value = log_in(place, token).cookies["tfhealth"]
    return {"Cookie": f"tfhealth={value}", "Origin": place.address}


@pytest.mark.parametrize("token", ["", "expired", "revoked", "tfh_nobody", "x'; DROP TABLE token; --"])
def test_nobody_comes_in_without_a_token_that_holds(place: Place, token: str) -> None:
    """Neither without one, nor by one that ended; the answer says how."""
    found = place.ask("GET", "/api/v1/whoami", token)
    assert (found.status_code, found.headers["www-authenticate"]) == (401, "Bearer")
    assert found.json().keys() == {"detail", "faults"}


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("admin", {"name": "all", "scope": "admin", "project": "default"}),
        ("ingest", {"name": "sends", "scope": "ingest", "project": "default"}),
        ("other", {"name": "runs the other", "scope": "admin", "project": "other"}),
    ],
)
def test_a_token_says_who_asks(place: Place, token: str, expected: dict[str, str]) -> None:
    """Its name, what it may, and the project that is meant where none is named."""
    assert place.ask("GET", "/api/v1/whoami", token).json() == expected


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", f"/api/v1/projects/default/runs/{RUN}/held", {"admin", "own", "ingest"}),
        ("GET", "/projects/default/runs", {"admin", "own", "read", "reader"}),
        ("GET", "/projects/default/settings", {"admin", "own"}),
        ("GET", "/api/v1/tokens", {"admin", "own", "other"}),
        ("GET", "/metrics", {"admin", "reader"}),
        ("GET", "/projects/other/runs", {"admin", "other", "reader"}),
    ],
)
def test_a_scope_is_what_it_says(place: Place, method: str, path: str, allowed: set[str]) -> None:
    """Admin includes the others, in its project; the others include nothing."""
    everybody = {"admin", "reader", "ingest", "read", "own", "other"}
    assert {name for name in everybody if place.ask(method, path, name).status_code == 200} == allowed


def test_a_token_is_shown_once_and_kept_as_a_digest(place: Place) -> None:
    """What the API returns lets in; the database does not have it, and neither does the list."""
    made = place.ask("POST", "/api/v1/tokens", "own", json={"name": "ci", "scope": "ingest", "project": "default"})
    assert made.status_code == 201
    secret = made.json()["token"]
    assert place.ask("GET", "/api/v1/whoami", secret).json()["name"] == "ci"
    with place.database.reading() as session:
        rows = session.scalars(select(Token).where(Token.name == "ci")).all()
    assert [secret in str(vars(row)) for row in rows] == [False]
    assert secret not in place.ask("GET", "/api/v1/tokens", "admin").text


def test_a_revoked_token_ends_at_once_with_its_logins(place: Place) -> None:
    """Through the API, whoever had it is out, and so is whoever logged in by it."""
    made = place.ask("POST", "/api/v1/tokens", "admin", json={"name": "short", "scope": "read"}).json()
    browser = cookie(place, made["token"])
    assert place.ask("GET", "/projects/default/runs", headers=browser).status_code == 200
    assert place.ask("DELETE", f"/api/v1/tokens/{made['about']['id']}", "admin").json()["revoked"]
    assert place.ask("GET", "/projects/default/runs", made["token"]).status_code == 401
    assert place.ask("GET", "/projects/default/runs", headers=browser).status_code == 401


@pytest.mark.parametrize("end", ["revoked", "expires"])
def test_a_page_that_waits_ends_with_its_token(place: Place, end: str) -> None:
    """It hears of a change, asks for it and is refused; whoever waits by a token that holds goes on waiting."""
    made = place.ask("POST", "/api/v1/tokens", "admin", json={"name": end, "scope": "read"}).json()
    run = hashlib.sha256(end.encode()).hexdigest()[:32]
    page = f"/projects/default/runs/{run}"
    assert place.ask("PUT", f"/api/v1{page}", "ingest", json={"after": 0, "meta": {}}).status_code == 200
    until(lambda: place.ask("GET", f"/api/v1{page}", "read").json()["trouble"])
    with waiting(place, page, made["token"]) as short, waiting(place, page, "read") as other:
        assert (heard(short, 1), heard(other, 1)) == (["changed"], ["changed"])
        with place.database.writing() as session:
            session.execute(update(Token).where(Token.id == made["about"]["id"]).values({end: now()}))
        assert heard(short, 9) == ["changed", "done"]
        refused = place.ask("GET", f"{page}/live", made["token"], headers={"HX-Request": "true"})
        assert (refused.status_code, refused.headers["hx-redirect"]) == (401, "/login")
        for _ in range(2):
            with place.database.writing() as session:
                session.execute(update(StoredRun).where(StoredRun.id == run).values(changed=now()))
            assert heard(other, 1) == ["changed"]


def test_log_out_ends_what_the_browser_has_open(place: Place) -> None:
    """Every page of that login; another browser that is logged in by the same token goes on waiting."""
    run = hashlib.sha256(b"log out").hexdigest()[:32]
    page = f"/projects/default/runs/{run}"
    assert place.ask("PUT", f"/api/v1{page}", "ingest", json={"after": 0, "meta": {}}).status_code == 200
    until(lambda: place.ask("GET", f"/api/v1{page}", "read").json()["trouble"])
    mine, theirs = cookie(place, "read"), cookie(place, "read")
    with waiting(place, page, **mine) as one, waiting(place, page, **theirs) as other:
        assert (heard(one, 1), heard(other, 1)) == (["changed"], ["changed"])
        assert place.ask("POST", "/logout", headers=mine).status_code == 303
        assert heard(one, 9) == ["changed", "done"]
        for _ in range(2):
            with place.database.writing() as session:
                session.execute(update(StoredRun).where(StoredRun.id == run).values(changed=now()))
            assert heard(other, 1) == ["changed"]


@contextmanager
def waiting(place: Place, page: str, token: str = "", **known: str) -> Iterator[Iterator[str]]:
    """Wait for what is new on a page, by a token or other headers; yield the lines that come."""
    if token:
        known["Authorization"] = f"Bearer {place.tokens.get(token, token)}"
    with httpx.stream("GET", f"{place.address}{page}/events", headers=known, timeout=60) as found:
        yield found.iter_lines()


def test_an_administrator_of_a_project_stays_in_it(place: Place) -> None:
    """They make no token for more, end none of another, and make no project."""
    for asked in ({"name": "x", "scope": "read"}, {"name": "x", "scope": "read", "project": "other"}):
        assert place.ask("POST", "/api/v1/tokens", "own", json=asked).status_code in (403, 404)
    (foreign,) = (one for one in place.ask("GET", "/api/v1/tokens", "other").json())
    assert place.ask("DELETE", f"/api/v1/tokens/{foreign['id']}", "own").status_code == 404
    page = place.ask("POST", f"/projects/default/tokens/{foreign['id']}/revoke", "own")
    assert page.status_code == 404
    assert place.ask("POST", "/api/v1/projects", "own", json={"name": "mine"}).status_code == 403
    assert [one["name"] for one in place.ask("GET", "/api/v1/projects", "own").json()] == ["default"]


@pytest.mark.parametrize(("method", "path", "done"), [("DELETE", "/api/v1{}", 204), ("POST", "{}/delete", 303)])
def test_a_run_is_deleted_by_an_administrator(place: Place, method: str, path: str, done: int) -> None:
    """With all that was made of it, and by nobody else; sent again, it is there again."""
    run = hashlib.sha256(method.encode()).hexdigest()[:32]
    page = f"/projects/default/runs/{run}"
    body = {"after": 0, "meta": {"name": "by mistake"}}
    assert place.ask("PUT", f"/api/v1{page}", "ingest", json=body).status_code == 200
    found = [place.ask(method, path.format(page), token).status_code for token in ("read", "ingest", "other")]
    assert found == [403, 403, 404]
    assert [place.ask(method, path.format(page), "own").status_code for _ in range(2)] == [done, 404]
    assert place.ask("GET", page, "read").status_code == 404
    assert place.ask("PUT", f"/api/v1{page}", "ingest", json=body).json()["revision"] == 1


def test_projects_are_made_once(place: Place) -> None:
    """A second one of the same name is refused."""
    assert place.ask("POST", "/api/v1/projects", "admin", json={"name": "vision"}).status_code == 201
    assert place.ask("POST", "/api/v1/projects", "admin", json={"name": "vision"}).status_code == 409
    assert "vision" in [one["name"] for one in place.ask("GET", "/api/v1/projects", "reader").json()]


def test_guessing_is_slowed_down_by_address(place: Place) -> None:
    """After some different tokens even the right one has to wait, there and nowhere else; the login page counts too."""
    here = {"X-Forwarded-For": "198.51.100.1"}
    for number in range(WRONG - 1):
        assert place.ask("GET", "/api/v1/whoami", f"guess{number}", headers=here).status_code == 401
    assert place.ask("POST", "/login", data={"token": "guess"}, headers=here).status_code == 401
    waits = place.ask("GET", "/api/v1/whoami", "admin", headers=here)
    assert waits.status_code == 429
    assert 0 < int(waits.headers["retry-after"]) <= 60
    assert place.ask("POST", "/login", data={"token": place.tokens["admin"]}, headers=here).status_code == 429
    assert place.ask("GET", "/api/v1/whoami", "admin").status_code == 200


def test_one_stale_token_locks_nobody_out(place: Place) -> None:
    """A job that shows the same expired token again and again is one attempt."""
    here = {"X-Forwarded-For": "198.51.100.2"}
    for _ in range(WRONG + 1):
        assert place.ask("GET", "/api/v1/whoami", "expired", headers=here).status_code == 401
    assert place.ask("GET", "/api/v1/whoami", "admin", headers=here).status_code == 200


def test_a_subscriber_of_ipv6_is_one_address(place: Place) -> None:
    """Whoever has a network of addresses gets no more attempts by them."""
    for number in range(WRONG):
        place.ask("GET", "/api/v1/whoami", f"guess{number}", headers={"X-Forwarded-For": f"2001:db8::{number + 1}"})
    waits = place.ask("GET", "/api/v1/whoami", "admin", headers={"X-Forwarded-For": "2001:db8::ffff"})
    assert waits.status_code == 429


def test_old_attempts_are_cleared_away(place: Place) -> None:
    """A refused token takes those of long ago with it."""
    with place.database.writing() as session:
        old = Attempt(address="192.0.2.1", digest="0" * 64)
        session.add(old)
        session.flush()
        old.at = old.at.replace(year=2020)
    place.ask("GET", "/api/v1/whoami", "wrong")
    with place.database.reading() as session:
        assert session.scalars(select(Attempt).where(Attempt.address == "192.0.2.1")).all() == []


def test_a_login_is_a_cookie_that_is_not_the_token(place: Place) -> None:
    """No script reads it, no other site sends it, and the database does not have it either."""
    done = log_in(place, "read", next="/projects/default/runs?page=2")
    assert (done.status_code, done.headers["location"]) == (303, "/projects/default/runs?page=2")
    said = done.headers["set-cookie"]
    assert {"HttpOnly", "Path=/", "SameSite=strict"} <= set(said.split("; "))
    value = done.cookies["tfhealth"]
    assert value != place.tokens["read"]
    with place.database.reading() as session:
        assert value not in [login.digest for login in session.scalars(select(Login))]
    browser = {"Cookie": f"tfhealth={value}"}
    assert place.ask("GET", "/projects/default/runs", headers=browser).status_code == 200
    assert place.ask("GET", "/projects/default/settings", headers=browser).status_code == 403
    assert place.ask("GET", "/projects/default/runs", headers={"Cookie": "tfhealth=other"}).status_code == 401


def test_the_cookie_stays_with_https(place: Place) -> None:
    """Where the proxy says that it was https, the cookie is for https only, and no other host sets it."""
    secure = {"X-Forwarded-Proto": "https"}
    done = place.ask("POST", "/login", data={"token": place.tokens["read"]}, headers=secure)
    assert done.headers["set-cookie"].startswith("__Host-tfhealth=")
    assert "Secure" in done.headers["set-cookie"].split("; ")


def test_log_out_ends_the_login_on_the_server(place: Place) -> None:
    """A copy of the cookie is of no use any more."""
    browser = cookie(place, "read")
    done = place.ask("POST", "/logout", headers=browser)
    assert (done.status_code, done.headers["location"]) == (303, "/login")
    assert place.ask("GET", "/projects/default/runs", headers=browser).status_code == 401


@pytest.mark.parametrize(("token", "settings"), [("read", 0), ("own", 1)])
def test_every_page_says_who_is_logged_in_and_offers_what_they_may(place: Place, token: str, settings: int) -> None:
    """Whoever may not change settings is not led there, and can log out all the same."""
    shown = place.ask("GET", "/projects/default/runs", headers=cookie(place, token)).text
    assert shown.count('href="/projects/default/settings"') == settings
    assert shown.count('action="/logout"') == 1
    assert {"read": "looks here", "own": "runs it"}[token] in shown
    assert 'action="/logout"' not in place.ask("GET", "/projects/default/runs", token).text


def test_a_person_without_a_login_is_led_to_the_login_page(place: Place) -> None:
    """And back to where they wanted to go; a script is not led anywhere."""
    wants = {"Accept": "text/html"}
    found = place.ask("GET", "/projects/default/runs?q=a&page=2", headers=wants)
    assert (found.status_code, found.headers["location"]) == (
        303,
        "/login?next=%2Fprojects%2Fdefault%2Fruns%3Fq%3Da%26page%3D2",
    )
    assert place.ask("GET", found.headers["location"], headers=wants).status_code == 200
    htmx = place.ask("GET", "/projects/default/runs", headers={"HX-Request": "true"})
    assert (htmx.status_code, htmx.headers["hx-redirect"]) == (401, "/login")


def test_a_link_from_elsewhere_finds_the_login(place: Place) -> None:
    """The strict cookie does not come along with it; the login page asks itself again, and then it does."""
    wants = {"Accept": "text/html", "Sec-Fetch-Site": "cross-site"}
    found = place.ask("GET", "/login?next=/projects/default/runs", headers=wants)
    assert 'http-equiv="refresh" content="0; url=/login?next=/projects/default/runs"' in found.text
    again = place.ask("GET", "/login?next=/projects/default/runs", headers=cookie(place, "read"))
    assert (again.status_code, again.headers["location"]) == (303, "/projects/default/runs")


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/a\r\nX: y", ""]
)
def test_a_login_leads_nowhere_else(place: Place, elsewhere: str) -> None:
    """Not even where the address is made to look like one of ours."""
    assert log_in(place, "read", next=elsewhere).headers["location"] == "/"


def test_a_proxy_says_who_somebody_is(place: Place) -> None:
    """They may read, or all where they are listed; a header that is there twice is believed in neither."""
    person, admin = {"X-User": "grace"}, {"X-User": "ada", "Origin": place.address}
    assert place.ask("GET", "/api/v1/whoami", headers=person).json() == {
        "name": "grace",
        "scope": "read",
        "project": "default",
    }
    assert place.ask("GET", "/projects/default/settings", headers=person).status_code == 403
    assert place.ask("GET", "/projects/default/settings", headers=admin).status_code == 200
    twice = [("X-User", "ada"), ("X-User", "grace")]
    assert httpx.get(f"{place.address}/api/v1/whoami", headers=twice).status_code == 401


def scope(client: str, **headers: str) -> dict[str, object]:
    raw = [(name.replace("_", "-").lower().encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "scheme": "http", "client": (client, 1), "headers": raw}


SETTINGS = Settings(
    database="sqlite://", user_header="X-User", proxies=(ip_network("10.0.0.0/8"), ip_network("::1/128"))
)


@pytest.mark.parametrize(
    ("client", "headers", "expected"),
    [
        ("192.0.2.1", {"X_User": "ada", "X_Forwarded_For": "10.0.0.1"}, Peer("192.0.2.1", False)),
        ("10.0.0.1", {"X_User": "ada", "X_Forwarded_Proto": "https"}, Peer("10.0.0.1", True, "ada")),
        ("10.0.0.1", {"X_Forwarded_For": "1.1.1.1, 192.0.2.7, 10.9.9.9"}, Peer("192.0.2.7", False)),
        ("10.0.0.1", {"X_Forwarded_For": "1.1.1.1, rubbish"}, Peer("10.0.0.1", False)),
        ("::1", {"X_User": "a\tb"}, Peer("::1", False)),
        ("testclient", {"X_User": "ada"}, Peer("testclient", False)),
    ],
)
def test_headers_of_listed_proxies_alone_are_believed(client: str, headers: dict[str, str], expected: Peer) -> None:
    """Of anybody else none is, and of a chain what the last listed one saw."""
    assert peer(scope(client, **headers), SETTINGS) == expected


def test_the_settings_page_makes_and_ends_tokens(place: Place) -> None:
    """A form makes one, which is shown there and not again; another ends it."""
    browser = cookie(place, "own")
    form = {"name": "<b>laptop</b>", "scope": "ingest", "days": "30"}
    made = place.ask("POST", "/projects/default/tokens", data=form, headers=browser)
    assert made.status_code == 201
    secret = made.text.partition('<code id="made">')[2].partition("</code>")[0]
    assert place.ask("GET", "/api/v1/whoami", secret).json()["project"] == "default"
    page = place.ask("GET", "/projects/default/settings", headers=browser).text
    assert (secret in page, "&lt;b&gt;laptop&lt;/b&gt;" in page, "<b>laptop" in page) == (False, True, False)
    listed = place.ask("GET", "/api/v1/tokens", "own").json()
    (number,) = (one["id"] for one in listed if one["name"] == form["name"])
    assert place.ask("POST", f"/projects/default/tokens/{number}/revoke", headers=browser).status_code == 303
    assert place.ask("GET", "/api/v1/whoami", secret).status_code == 401


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"name": "", "scope": "read"}, "name:"),
        ({"name": "x", "scope": "all"}, "scope:"),
        ({"name": "x", "scope": "read", "days": "-1"}, "days:"),
        ({"name": "x", "scope": "read", "days": "soon"}, "days:"),
        ({"name": "a\x1b[2Jb", "scope": "read"}, "name:"),
    ],
)
def test_the_form_says_what_is_wrong(place: Place, form: dict[str, str], said: str) -> None:
    """The page comes again, with why no token was made."""
    found = place.ask("POST", "/projects/default/tokens", data=form, headers=cookie(place, "own"))
    assert (found.status_code, f"No token was made: {said}" in found.text) == (422, True)
