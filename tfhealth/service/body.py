"""A request's body, which the gate keeps within limits -> a model, once it is checked against its digest."""

from __future__ import annotations

import base64
import hashlib
import zlib
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.requests import ClientDisconnect

from tfhealth.service.access import TheCaller
from tfhealth.service.state import TheService
from tfhealth.wire.delta import Delta

__all__ = ["TheDelta"]


async def _delta(request: Request, caller: TheCaller, service: TheService) -> Delta:
    # The caller stands here so that nothing is read of whoever may not come in.
    try:
        data = await request.body()
    except ClientDisconnect:
        raise HTTPException(400, "the request ended before its body did") from None
    _check_digest(request, data)
    encoding = request.headers.get("content-encoding", "identity")
    if encoding not in ("identity", "gzip"):
        raise HTTPException(415, "Content-Encoding must be gzip or left out")
    try:
        return Delta.model_validate_json(_unpacked(data, service.settings.largest_body) if encoding == "gzip" else data)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False, include_context=False)
        raise RequestValidationError([{**fault, "loc": ("body", *fault["loc"])} for fault in faults]) from None


def _check_digest(request: Request, data: bytes) -> None:
    """Refuse a body that is not the one that was sent: RFC 9530."""
    said = request.headers.get("content-digest")
    if said is None:
        return
    actual = base64.b64encode(hashlib.sha256(data).digest()).decode()
    if said.strip() != f"sha-256=:{actual}:":
        raise HTTPException(400, "Content-Digest does not fit the body")


def _unpacked(data: bytes, most: int) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    try:
        found = unpacker.decompress(data, most)
    except zlib.error:
        raise HTTPException(400, "the body is not gzip") from None
    if unpacker.unconsumed_tail or not unpacker.eof:
        what = f"at most {most} bytes are taken, unpacked" if unpacker.unconsumed_tail else "the gzip is cut off"
        raise HTTPException(413 if unpacker.unconsumed_tail else 400, what)
    return found


TheDelta = Annotated[Delta, Depends(_delta)]
"""A parameter of this type is given the delta in the body."""
