"""A verdict on a run -> what is to be told of it, once at each address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tfhealth.gating import Gated
from tfhealth.result import Result
from tfhealth.store.tables import Delivery, StoredRun, Webhook

__all__ = ["SHAPES", "note"]


def note(session: Session, stored: StoredRun, result: Result, address: str, gate: Gated | None = None) -> None:
    """Write down what is to be told: of a first critical finding, and of the end.

    A run that had ended before an address was entered is not told there.

    Args:
        session: one that writes, and holds the run.
        stored: the run.
        result: the verdict on it.
        address: of the service, as people reach it; empty: links lack it.
        gate: what the project's gate says of it; None: there is none.
    """
    events = [name for name, is_so in _events(stored, result).items() if is_so]
    if not events:
        return
    told = select(Delivery.webhook_id, Delivery.event).where(Delivery.run_key == stored.key)
    before = {tuple(row) for row in session.execute(told)}
    for hook in session.scalars(select(Webhook).where(Webhook.project_id == stored.project_id)):
        for event in events if stored.ended is None or hook.created <= stored.ended else []:
            if (hook.id, event) not in before:
                body = SHAPES[hook.shape](_facts(stored, result, event, address, gate))
                session.add(Delivery(webhook_id=hook.id, run_key=stored.key, event=event, body=body))


def _events(stored: StoredRun, result: Result) -> Mapping[str, bool]:
    critical = any(finding.severity == "critical" for finding in result.findings)
    return {"critical": critical, "ended": stored.status != "running"}


def _facts(stored: StoredRun, result: Result, event: str, address: str, gate: Gated | None) -> dict[str, Any]:
    slug = stored.project.slug
    critical = next((one for one in result.findings if one.severity == "critical"), None)
    return {
        "event": event,
        "project": slug,
        "run": stored.id,
        "name": stored.name,
        "model": stored.model,
        "person": stored.person,
        "status": stored.status,
        "verdict": result.verdict,
        "sentence": result.sentence,
        "cause": stored.cause,
        "cause_title": stored.cause_title,
        "critical": critical.rule if critical is not None else "",
        "critical_title": critical.title if critical is not None else "",
        "gate": gate.word if gate is not None else None,
        "started": stored.started.isoformat(),
        "ended": stored.ended.isoformat() if stored.ended else None,
        "link": f"{address.rstrip('/')}/projects/{slug}/runs/{stored.id}",
    }


def _json(facts: dict[str, Any]) -> dict[str, Any]:
    return facts


def _slack(facts: dict[str, Any]) -> dict[str, Any]:
    what = f"critical: {facts['critical_title']}" if facts["event"] == "critical" else facts["status"]
    if facts["gate"] not in (None, "passed") and facts["event"] == "ended":
        what += f", gate {facts['gate']}"
    name = _escaped(facts["name"] or facts["run"]).replace("|", "/")
    link = f"<{_escaped(facts['link'])}|{name}>" if "://" in facts["link"] else name
    return {"text": f"{link} ({_escaped(facts['project'])}): {_escaped(what)}. {_escaped(facts['sentence'])}"}


def _escaped(text: str) -> str:
    """Return text in which Slack sees no link, and nobody to be called."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


SHAPES = {"json": _json, "slack": _slack}
"""{shape of a webhook: facts -> body}."""
