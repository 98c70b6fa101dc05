"""What happens in a service -> lines on standard error, for people or as JSON, without a token in any of them."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime

__all__ = ["FORMATS", "set_up"]

_SECRET = re.compile(r"tfh_[\w-]{12,}|(?<=://)[^\s/@]+:[^\s/@]+(?=@)", re.ASCII)
"""Tokens, and the name and password in a URL."""


class _Json(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and what else is known."""

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "about", {}),
        }
        if record.exc_info:
            told["error"] = self.formatException(record.exc_info)
        return without_secrets(json.dumps(told, ensure_ascii=True))


class _Text(logging.Formatter):
    """The same for people; nothing that was sent is a command to a terminal, or makes a line of its own."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        return _printable(super().formatMessage(record))

    def format(self, record: logging.LogRecord) -> str:
        return without_secrets("\n".join(map(_printable, super().format(record).split("\n"))))


def _printable(text: str) -> str:
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


FORMATS: dict[str, type[logging.Formatter]] = {"text": _Text, "json": _Json}
"""How a log may look."""


def without_secrets(text: str) -> str:
    """Return a text without what lets somebody in."""
    return _SECRET.sub("***", text)


def set_up(format: str, level: str = "INFO") -> None:
    """Let all of this process's loggers write to standard error.

    Args:
        format: a name of `FORMATS`.
        level: the least grave level that is written.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(FORMATS[format]())
    logging.basicConfig(handlers=[handler], level=level, force=True)
    logging.captureWarnings(True)
    logging.getLogger("uvicorn.access").disabled = True  # every answer is noted already
    logging.getLogger("alembic").setLevel("WARNING")
