"""The REST API of a server as Python: each method is one request, its answer a model."""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import quote

import requests
from pydantic import BaseModel, ValidationError

from tfhealth.destination import destination
from tfhealth.errors import Error
from tfhealth.result import Result
from tfhealth.wire.delta import Delta, Held
from tfhealth.wire.documents import RunFilter, RunPage, RunSummary, WhoAmI

__all__ = ["Client", "ServerError"]

M = TypeVar("M", bound=BaseModel)

_PAGE = 200


class ServerError(Error):
    """A server that cannot be reached, or that refuses what it is asked.

    Attributes:
        status: the HTTP status; None where nothing was answered.
        again: whether the same request may succeed later.
        after: seconds that the server wants to be left alone; None: it does not say.
    """

    def __init__(self, what: str, status: int | None = None, after: float | None = None) -> None:
        super().__init__(what)
        self.status, self.after = status, after
        self.again = status is None or status in (408, 429) or status >= 500


class Client:
    """A client of one server, for one thread.

    Args:
        server: its address, e.g. `https://health.example.org`; None: `TFHEALTH_SERVER` of the environment.
        token: None: `TFHEALTH_TOKEN` of the environment, or none.
        seconds: how long to wait for an answer.

    Raises:
        UsageError: no address, or none that is one; a token that cannot be one.

    Example:
        >>> client = Client("http://127.0.0.1:8765")  # doctest: +SKIP
        >>> client.whoami().project  # doctest: +SKIP
        'default'
    """

    def __init__(self, server: str | None = None, token: str | None = None, seconds: float = 30.0) -> None:
        known = destination(server, token)
        self.server, self._seconds = known.server, seconds
        self._session = requests.Session()
        self._session.auth = _Bearer(known.token)

    def whoami(self) -> WhoAmI:
        """Say who the token is."""
        return self._get("whoami", WhoAmI)

    def held(self, project: str, run: str) -> Held:
        """Say what the server holds of a run; of one that it does not know, nothing."""
        return self._get(f"{_path(project, run)}/held", Held)

    def put(self, project: str, run: str, delta: Delta) -> Held:
        """Send what is new of a run; sent again, it changes nothing."""
        data = gzip.compress(delta.model_dump_json().encode(), 1, mtime=0)
        headers = {
            "Content-Type": "application/json",
            "Content-Encoding": "gzip",
            "Content-Digest": f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:",
        }
        return self._model(self._ask("PUT", _path(project, run), None, data, headers), Held)

    def summary(self, project: str, run: str) -> RunSummary:
        """Return a run as lists show it."""
        return self._get(_path(project, run), RunSummary)

    def runs(self, project: str, asked: RunFilter | None = None) -> Iterator[RunSummary]:
        """Yield the runs of a project, the latest first; they are asked for page by page, as far as they are read.

        Args:
            project: its name.
            asked: which runs; None: all.
        """
        query = {} if asked is None else asked.model_dump(mode="json", exclude_none=True)
        following: str | None = ""
        while following is not None:
            page = self._get(_path(project), RunPage, query | {"after": following, "most": _PAGE})
            yield from page.runs
            following = page.next

    def result(self, project: str, run: str) -> Result:
        """Return the verdict on a run."""
        return self._get(f"{_path(project, run)}/result", Result)

    def report(self, project: str, run: str, format: str = "html") -> bytes:
        """Return the report on a run, made by the server from its last verdict.

        Args:
            project: the run's.
            run: its identity.
            format: html, pdf, md, json or junit.
        """
        return self._ask("GET", f"{_path(project, run)}/report", query={"format": format}).content

    def address(self, project: str, run: str) -> str:
        """Return the address of the page that shows a run."""
        return f"{self.server}/{_path(project, run)}"

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _get(self, path: str, model: type[M], query: Mapping[str, Any] | None = None) -> M:
        return self._model(self._ask("GET", path, query), model)

    def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        url = f"{self.server}/api/v1/{path}"
        try:
            answer = self._session.request(
                method, url, query, data, headers, timeout=self._seconds, allow_redirects=False
            )
        except requests.RequestException as error:
            raise ServerError(f"{self.server} cannot be reached: {_innermost(error)}") from None
        if answer.status_code != requests.codes.ok:
            raise ServerError(
                f"{self.server} answers {answer.status_code}: {_said(answer)}", answer.status_code, _after(answer)
            )
        return answer

    def _model(self, answer: requests.Response, model: type[M]) -> M:
        try:
            return model.model_validate_json(answer.content)
        except ValidationError:
            raise ServerError(f"{self.server} answers something else than tfhealth does", answer.status_code) from None


def _path(*names: str) -> str:
    project, *run = (quote(name, safe="") for name in names)
    return "/".join(("projects", project, "runs", *run))


class _Bearer(requests.auth.AuthBase):
    """Sets the token, or nothing; where requests is given no such object, it looks for a password in `~/.netrc`."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _innermost(error: BaseException) -> BaseException:
    while error.__context__ is not None or error.__cause__ is not None:
        error = error.__cause__ or error.__context__  # type: ignore[assignment] # one of both is there
    return error


def _said(answer: requests.Response) -> str:
    try:
        detail: Any = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        detail = answer.reason
    return str(detail)[:500]


def _after(answer: requests.Response) -> float | None:
    said = answer.headers.get("Retry-After", "")
    return float(said) if said.isdigit() else None
