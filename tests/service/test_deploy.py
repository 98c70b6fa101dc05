"""The files in examples/deploy say what the command line and the service understand."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.service.serving import ROOT
from tfhealth.cli.main import build_parser
from tfhealth.cli.serve import DATABASE

FOLDER = ROOT / "examples" / "deploy"


def compose() -> Any:
    return YAML(typ="safe").load((FOLDER / "compose.yaml").read_text("utf-8"))["services"]


def unit() -> dict[str, str]:
    lines = (FOLDER / "tfhealth.service").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if re.match(r"\w+=", line))


def commands() -> list[list[str]]:
    started = re.search(r"^CMD (\[.*\])$", (FOLDER / "Containerfile").read_text("utf-8"), re.MULTILINE)
    assert started is not None
    _, *by_systemd = shlex.split(unit()["ExecStart"])
    prose = (FOLDER / "README.md").read_text("utf-8")
    by_hand = [shlex.split(line) for line in re.findall(r"(?:tfhealth|service) (serve .*)", prose)]
    return [YAML(typ="safe").load(started[1]), compose()["service"]["command"], by_systemd, *by_hand]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_commands_are_understood(words: list[str]) -> None:
    """Each is `tfhealth serve`, and needs a token."""
    parsed = build_parser(words).parse_args(words)
    assert parsed.command == "serve"
    assert parsed.tokens or parsed.new_token


def test_a_stop_leaves_time_to_finish() -> None:
    """As long as a run may be judged for; and whoever judges is not ended before the service ends it."""
    assert compose()["service"]["stop_grace_period"] == f"{unit()['TimeoutStopSec']}s"
    assert int(unit()["TimeoutStopSec"]) > 60
    assert unit()["KillMode"] == "mixed"


def test_the_database_is_named_where_the_service_looks() -> None:
    """In the environment, so that its password is in no list of processes; nobody reaches the database from outside."""
    services = compose()
    assert list(services["service"]["environment"]) == [DATABASE]
    assert DATABASE in (FOLDER / "tfhealth.service").read_text("utf-8")
    assert [name for name, service in services.items() if "ports" in service] == ["proxy"]
