"""How a service runs: everything that can be set, with what holds where nobody says otherwise."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Settings"]


class Settings(BaseModel):
    """What `tfhealth serve` is told.

    Attributes:
        database: the URL of the database.
        folder: a folder whose runs are shown too.
        tokens: whether whoever comes must show a token; without, everybody who reaches the service may do all.
        user_header: a header in which a proxy says who somebody is; empty: none is believed.
        proxies: addresses that the header is believed of.
        workers: processes that judge and write reports.
        works: whether this process does background work; another one may.
        largest_body: bytes of a request's body, before and after it is unpacked.
        seconds, megabytes: what judging a run or writing a report may take.
        address: where people reach the service, for links in what webhooks are told.
        private_webhooks: whether webhooks may lead to machines of the own network, this one too.
        wrong_tokens: refused tokens from one address in a minute, after which it has to wait.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    database: str
    folder: Path | None = None
    tokens: bool = False
    user_header: str = ""
    proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    workers: int = Field(2, ge=1)
    works: bool = True
    largest_body: int = Field(32_000_000, ge=1000)
    seconds: float = Field(60, gt=0)
    megabytes: int = Field(3000, ge=100)
    address: str = ""
    private_webhooks: bool = False
    wrong_tokens: int = Field(20, ge=1)
