"""A fit whose run is sent to a service while it goes on is the same fit, and its token is nowhere to be found."""

from __future__ import annotations

import copy
import hashlib
import pickle
import random
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.helpers import write_rules
from tests.models import quiet, state, trained
from tests.service.faults import Place, free_port, stored, told
from tests.service.serving import serving
from tests.test_compare import FILES
from tfhealth import HealthCallback, UsageError, load_run
from tfhealth.capture.journal import HealthWarning
from tfhealth.cli import main
from tfhealth.service.settings import Settings
from tfhealth.store import finding
from tfhealth.store.database import connected
from tfhealth.store.tables import Token

TOKEN = "tfh_do-not-tell"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A service that asks for a token, and has one for the project `vision`."""
    url = f"sqlite:///{tmp_path_factory.mktemp('service') / 'service.db'}"
    with serving(Settings(database=url, workers=1, works=False, tokens=True)) as address:
        database = connected(url)
        with database.writing() as session:
            owner, digest = finding.project(session, "vision"), hashlib.sha256(TOKEN.encode()).hexdigest()
            session.add(Token(project_id=owner.id, name="ci", digest=digest, beginning="tfh_do", scope="ingest"))
        database.close()
        yield Place(address, url)


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Few rules, so that little is traced."""
    return {"rules": write_rules(tmp_path_factory.mktemp("rules"), FILES)}


def everything(folder: Path) -> bytes:
    """Return what all files below a folder hold."""
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_fit_that_is_sent_is_bit_identical_and_arrives(place: Place, tmp_path: Path, capsys):
    """The same weights, history and random states as without a server; the run is there, and the token nowhere."""
    found = []
    for server in ("", place.address):
        random.seed(5)
        settings = quiet(tmp_path / "runs", every=1) | {"verbose": 1}
        callback = HealthCallback(**settings, server=server, token=TOKEN)
        model, history = trained("dense", [callback])
        weights = [value.tobytes() for value in state(model).values()]
        found.append((weights, history, random.getstate(), np.random.get_state()[1].tolist()))
    without, with_ = found
    assert without == with_
    run = load_run(callback.run_dir)
    assert told(stored(place.database, run.meta["id"])) == told(run)
    printed = capsys.readouterr()
    page = f"{place.address}/projects/vision/runs/{run.meta['id']}"
    assert f"sent to {place.address}\n" in printed.out
    assert printed.out.rstrip().endswith(page)
    assert TOKEN.encode() not in everything(tmp_path)
    assert TOKEN not in printed.out + printed.err + repr(vars(callback)) + repr(callback.destination)


def test_copies_send_too_and_pickles_hold_no_token(place: Place, tmp_path: Path, few, monkeypatch):
    """A tuner's copy of a callback is as good as the first; what is unpickled takes its token from the environment."""
    callback = HealthCallback(**quiet(tmp_path, every=4, **few), server=place.address, token=TOKEN)
    pickled = pickle.dumps(callback)
    assert TOKEN.encode() not in pickled
    monkeypatch.setenv("TFHEALTH_TOKEN", TOKEN)
    copies = [copy.deepcopy([callback])[0], pickle.loads(pickled)]
    monkeypatch.delenv("TFHEALTH_TOKEN")
    for one in copies:
        trained("dense", [one], epochs=1)
        run = load_run(one.run_dir)
        assert told(stored(place.database, run.meta["id"])) == told(run)
    assert pickle.loads(pickled).destination.token is None


def test_a_fit_that_is_continued_is_one_run_there_too(place: Place, tmp_path: Path, few):
    """Two fits with `again="continue"`, and a Ctrl-C in the third."""
    callback = HealthCallback(**quiet(tmp_path, every=1, **few), again="continue", server=place.address, token=TOKEN)

    def interrupt(epoch: int, logs: object) -> None:
        raise KeyboardInterrupt

    model, _ = trained("dense", [callback], epochs=1)
    x, y = np.zeros((16, 12)), np.zeros(16)
    model.fit(x, y, verbose=0, callbacks=[callback])
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, verbose=0, callbacks=[callback, keras.callbacks.LambdaCallback(on_epoch_end=interrupt)])
    callback.close()
    run = load_run(callback.run_dir)
    assert run.meta["status"] == "interrupted"
    assert told(stored(place.database, run.meta["id"])) == told(run)


def test_a_server_that_is_away_costs_one_line(tmp_path: Path, few, capsys):
    """Training ends as ever, and the line says what sends the rest."""
    folder = tmp_path / "my runs"
    server = f"http://127.0.0.1:{free_port()}"
    callback = HealthCallback(**quiet(folder, every=4, **few) | {"verbose": 1}, server=server, token=TOKEN)
    trained("dense", [callback], epochs=1)
    last = capsys.readouterr().out.rstrip().splitlines()[-1]
    assert last.startswith(f"  not everything was sent to {server} (")
    assert last.endswith(f"; `tfhealth push '{callback.run_dir}'` sends the rest")
    assert callback.result.run.complete


def test_a_token_that_is_refused_is_warned_of_once(place: Place, tmp_path: Path, few):
    """Also where nothing is to be printed; the warning has the reason, and the run is on disk."""
    callback = HealthCallback(**quiet(tmp_path, every=4, **few), server=place.address, token="tfh_wrong")
    with pytest.warns(HealthWarning, match="answers 401") as caught:
        trained("dense", [callback], epochs=1)
    assert not [one for one in caught if "tfh_wrong" in str(one.message)]
    assert callback.result.run.complete
    assert load_run(callback.run_dir).notes == ()


def test_the_environment_says_where_to(place: Place, tmp_path: Path, monkeypatch, capsys):
    """`tfhealth run` and callbacks send there; an empty address sends nothing in any case."""
    monkeypatch.setenv("TFHEALTH_SERVER", place.address)
    monkeypatch.setenv("TFHEALTH_TOKEN", TOKEN)
    assert HealthCallback(server="").destination is None
    script = tmp_path / "train.py"
    script.write_text(
        "import keras, numpy as np\n"
        "model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])\n"
        "model.compile('sgd', 'mse')\n"
        "model.fit(np.ones((8, 3)), np.ones(8), verbose=0)\n"
    )
    out = tmp_path / "runs"
    assert main(["run", "--out", str(out), "--formats", "json", "--project", "vision", str(script)]) == 0
    (folder,) = out.iterdir()
    run = load_run(folder)
    assert told(stored(place.database, run.meta["id"])) == told(run)
    assert TOKEN.encode() not in everything(out)


@pytest.mark.parametrize(
    ("server", "token", "message"),
    [
        ("health.example.org", None, "'health.example.org' is no address of a server"),
        ("ftp://health.example.org", None, "is no address of a server"),
        ("http://[::1", None, "is no address of a server"),
        ("https://me:secret@health.example.org", None, "has no name or password in it"),
        (TOKEN, None, "what was given is no address"),
        ("https://health.example.org", "two words", "the token has blanks"),
        ("https://health.example.org", "tfh_ä", "the token has blanks"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_once(server: str, token: str | None, message: str):
    """Before any training, and without the secret."""
    with pytest.raises(UsageError) as caught:
        HealthCallback(server=server, token=token)
    assert message in str(caught.value)
    assert not [secret for secret in ("secret", TOKEN, "two words", "ä") if secret in str(caught.value)]
