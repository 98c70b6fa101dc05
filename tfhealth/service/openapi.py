"""The application's routes -> their description as OpenAPI, with the one shape of errors and how to show a token."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from tfhealth.wire.problem import Problem

__all__ = ["describe"]

_ERROR = {
    "description": "it was not done; why",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def describe(app: FastAPI) -> None:
    """Let an application describe itself this way."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _corrected(plain())
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign] # the way that FastAPI's manual shows


def _corrected(schema: dict[str, Any]) -> dict[str, Any]:
    parts = schema.setdefault("components", {})
    parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    schema["security"] = [{"token": []}, {}]
    shapes = parts.setdefault("schemas", {})
    found = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    shapes |= {**found.pop("$defs"), "Problem": found}
    for name in ("HTTPValidationError", "ValidationError"):
        shapes.pop(name, None)
    for path in schema["paths"].values():
        for operation in path.values():
            answers = operation["responses"]
            answers.pop("422", None)
            answers |= {"4XX": _ERROR, "5XX": _ERROR}
    return schema
