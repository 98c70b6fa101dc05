"""A changed profile is tried on stored runs, seen, and adopted or dropped."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from tests.helpers import run_of
from tests.service.conftest import database_url
from tests.service.serving import serving, until
from tfhealth.client import Client, push
from tfhealth.service.settings import Settings

OFF = "set:\n  GRAD005: off\n"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service that has judged two runs, one of them sick."""
    folder = tmp_path_factory.mktemp("service")
    with serving(Settings(database=database_url(request, folder), workers=1)) as found, Client(found) as client:
        for name, last in (("sick", 1.0), ("well", 0.0)):
            run_of({("gradient", "dense/kernel", "nonfinite"): [0.0, last]}, folder=folder / name)
            pushed = push(client, folder / name)
            until(lambda run=pushed.run: client.summary("default", run).verdict)
        yield found


def asked(address: str, path: str, method: str = "GET", **words: object) -> requests.Response:
    return requests.request(method, f"{address}{path}", timeout=60, allow_redirects=False, **words)


def verdicts(address: str, number: int) -> dict[str, object]:
    """Return a trial when it is done."""
    path = f"/api/v1/projects/default/trials/{number}"
    until(lambda: asked(address, path).json()["state"] == "done")
    return asked(address, path).json()


def begin(address: str, profile: str) -> int:
    answer = asked(address, "/api/v1/projects/default/trials", "POST", json={"profile": profile})
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def test_what_would_change_is_seen_before_it_is_adopted(address: str) -> None:
    """The sick run would have no leading cause any more; nothing changes until that is adopted, and then it does."""
    number = begin(address, OFF)
    done = verdicts(address, number)
    assert (done["total"], done["made"], done["failed"], done["changed"]) == (2, 2, 0, 2)
    changed = asked(address, f"/api/v1/projects/default/trials/{number}/runs").json()["runs"]
    changed.sort(key=lambda one: one["verdict_before"])
    assert [(one["verdict_before"], one["cause_before"], one["verdict"], one["cause"]) for one in changed] == [
        ("fail", "GRAD005", "not_measured", ""),
        ("pass", "", "not_measured", ""),
    ]
    run = f"/api/v1/projects/default/runs/{changed[0]['run']}"
    assert asked(address, run).json()["cause"] == "GRAD005"

    page = asked(address, f"/projects/default/trials/{number}").text
    assert "All 2 runs were judged." in page
    assert f'<a href="/projects/default/runs/{changed[0]["run"]}"><bdi>trial</bdi></a>' in page

    assert asked(address, f"/projects/default/trials/{number}/adopt", "POST").status_code == 303
    assert asked(address, "/api/v1/projects/default/profile").json() == {"profile": OFF}
    until(lambda: asked(address, run).json()["cause"] == "")
    assert asked(address, f"{run}/result").json()["findings"] == []
    again = asked(address, f"/api/v1/projects/default/trials/{number}/adopt", "POST")
    assert (again.status_code, again.json()["detail"]) == (
        409,
        "this trial is adopted; only one that is done can be adopted",
    )


def test_a_trial_that_is_dropped_changes_nothing(address: str) -> None:
    """The profile in force stays, and another trial drops one that is open."""
    before = asked(address, "/api/v1/projects/default/profile").json()
    first, second = begin(address, "select: [ACT]\n"), begin(address, "select: [LOSS]\n")
    verdicts(address, second)
    assert asked(address, f"/projects/default/trials/{second}/drop", "POST").status_code == 303
    states = [asked(address, f"/api/v1/projects/default/trials/{one}").json()["state"] for one in (first, second)]
    assert states == ["dropped", "dropped"]
    assert asked(address, "/api/v1/projects/default/profile").json() == before


def test_all_faults_of_a_profile_are_shown_where_they_stand(address: str) -> None:
    """The page and the API name line and column of each, and the text stays in the editor, escaped."""
    profile = "set:\n  ACT003: {condition: {outsid: [1, 2]}}\n  ACT0003: off  # </textarea><script>\n"
    answer = asked(address, "/projects/default/profile", "POST", data={"profile": profile})
    assert answer.status_code == 422
    assert "Line 3, column 3:" in answer.text
    assert "Line 2, column" in answer.text
    assert "</textarea><script>" not in answer.text
    said = asked(address, "/api/v1/projects/default/trials", "POST", json={"profile": profile})
    assert said.status_code == 422
    assert "line 3, column 3: set.ACT0003: " in said.text
    assert "line 2, column " in said.text


def test_a_gate_is_said_in_the_settings_and_of_every_run(address: str) -> None:
    """Without one nothing is said of runs; a profile that has one is adopted, and the sick run fails it."""
    assert "The profile has no gate" in asked(address, "/projects/default/settings").text
    number = begin(address, "gate: {fail_on: error, ignore: [LOSS], require: [GRAD005]}\n")
    verdicts(address, number)
    assert asked(address, f"/projects/default/trials/{number}/adopt", "POST").status_code == 303
    for page in ("settings", "rules"):
        text = asked(address, f"/projects/default/{page}").text
        assert "A finding of severity error or above fails it, but for rules that begin with LOSS." in text
        assert "It is incomplete without a verdict on GRAD005." in text

    def judged() -> dict[str, str]:
        runs = asked(address, "/api/v1/projects/default/runs").json()["runs"]
        return {one["verdict"]: f"/projects/default/runs/{one['id']}/live" for one in runs}

    until(lambda: judged().keys() == {"fail", "pass"})
    assert "GRAD005 in trial: a finding of severity critical" in asked(address, judged()["fail"]).text
    assert "</span> passed</span>" in asked(address, judged()["pass"]).text


@pytest.mark.parametrize(
    "profile",
    [
        "extends: /etc/passwd\n",
        "extends: ../other.yaml\n",
        "packs: [/etc]\n",
        "baseline: /etc/passwd\n",
        "select: [ACT]  # \0",
        "\0",
        "a: &a [x, x]\nb: &b [*a, *a]\n" + "".join(f"c{n}: &c{n} [*b, *b]\n" for n in range(9)),
    ],
)
def test_a_profile_that_was_sent_names_no_files(address: str, profile: str) -> None:
    """Nor anything else that a profile has not."""
    answer = asked(address, "/api/v1/projects/default/trials", "POST", json={"profile": profile})
    assert answer.status_code == 422
    assert "root:" not in answer.text
