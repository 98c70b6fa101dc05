"""What a token may let somebody do: the names, and each in words. It loads nothing, for the command line."""

from __future__ import annotations

from typing import Literal, get_args

__all__ = ["PERSON_SCOPES", "SCOPES", "PersonScope", "Scope"]

Scope = Literal["ingest", "read", "admin"]
"""What a token lets do."""

SCOPES: dict[Scope, str] = {"ingest": "send runs", "read": "look at runs", "admin": "do all"}
"""{scope: what it lets do}."""

PersonScope = Literal["read", "admin"]
"""What people of whom a proxy says who they are may do."""

PERSON_SCOPES: tuple[PersonScope, ...] = get_args(PersonScope)
"""Each of them."""
