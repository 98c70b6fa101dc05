"""What every document of the REST API has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["Model"]


class Model(BaseModel):
    """A document, which has the keys that are described, no others, and does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)
