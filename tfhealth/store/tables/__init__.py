"""The tables of the service's database; `migrations/` makes them, and a test says that both agree."""

from tfhealth.store.tables.access import Attempt, Login, Token
from tfhealth.store.tables.base import Base
from tfhealth.store.tables.claims import Claim
from tfhealth.store.tables.notices import Delivery, Webhook
from tfhealth.store.tables.rejudging import Rejudged, Rejudgement
from tfhealth.store.tables.runs import Chunk, FoundRule, Judgement, Project, Rendering, StoredRun

__all__ = [
    "Attempt",
    "Base",
    "Chunk",
    "Claim",
    "Delivery",
    "FoundRule",
    "Judgement",
    "Login",
    "Project",
    "Rejudged",
    "Rejudgement",
    "Rendering",
    "StoredRun",
    "Token",
    "Webhook",
]
