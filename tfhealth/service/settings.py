"""How a service runs: everything that can be set, with what holds where nobody says otherwise."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, IPvAnyNetwork

from tfhealth.wire.scopes import PersonScope

__all__ = ["Settings"]


class Settings(BaseModel):
    """What `tfhealth serve` is told.

    Attributes:
        database: the URL of the database.
        folder: a folder whose runs are shown too.
        tokens: whether whoever comes must show a token; without, everybody who reaches the service may do all.
        user_header: a header in which a proxy says who somebody is; empty: none is believed.
        user_scope: what people of whom the proxy says who they are may do, in every project.
        admins: names of those of them who may do all.
        proxies: addresses or networks of proxies; what others say of whom they ask for is not believed.
        hosts: names under which the service is reached; empty: those of this machine, or any where a token is needed.
        workers: processes that judge and write reports.
        works: whether this process does background work; another one may.
        largest_body: bytes of what is sent of a run at once, before and after it is unpacked.
        seconds, megabytes: what judging a run or writing a report may take.
        address: where people reach the service, for links in what webhooks are told.
        private_webhooks: whether webhooks may lead to machines of the own network, this one too.
        wrong_tokens: different tokens refused from one address in a minute, after which it has to wait.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    database: str
    folder: Path | None = None
    tokens: bool = False
    user_header: str = ""
    user_scope: PersonScope = "read"
    admins: tuple[str, ...] = ()
    proxies: tuple[IPvAnyNetwork, ...] = ()
    hosts: tuple[str, ...] = ()
    workers: int = Field(2, ge=1)
    works: bool = True
    largest_body: int = Field(32_000_000, ge=1000)
    seconds: float = Field(60, gt=0)
    megabytes: int = Field(3000, ge=100)
    address: str = ""
    private_webhooks: bool = False
    wrong_tokens: int = Field(20, ge=1)

    @property
    def guarded(self) -> bool:
        """Whether whoever comes must say who they are."""
        return self.tokens or bool(self.user_header)
