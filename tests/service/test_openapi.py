"""The REST API does what its description says, whatever it is sent."""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from tests.service.guarded import Place
from tfhealth.service.app import create_app
from tfhealth.service.settings import Settings
from tfhealth.wire.problem import Problem

DESCRIBED = create_app(Settings(database="sqlite://")).openapi()
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
api = schemathesis.openapi.from_dict(DESCRIBED)


@api.parametrize()
@settings(max_examples=15, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
def test_answers_are_as_described(case: Any, place: Place) -> None:
    """No fault of the service, no status and no shape that the description does not have."""
    headers = {"Authorization": f"Bearer {place.tokens['admin']}"}
    case.call_and_validate(base_url=place.address, headers=headers, checks=CHECKS, timeout=60)


def test_every_error_has_one_shape() -> None:
    """And a way to show a token is described, and every operation says what it does."""
    errors = {
        (path, status): answer["content"]["application/json"]["schema"]
        for path, operations in DESCRIBED["paths"].items()
        for operation in operations.values()
        for status, answer in operation["responses"].items()
        if status in ("4XX", "5XX")
    }
    assert {str(one) for one in errors.values()} == {"{'$ref': '#/components/schemas/Problem'}"}
    assert DESCRIBED["components"]["schemas"]["Problem"]["required"] == ["detail"]
    assert Problem(detail="x").faults == []
    operations = [one for path in DESCRIBED["paths"].values() for one in path.values()]
    assert [one["operationId"] for one in operations if not one.get("description")] == []
    assert DESCRIBED["components"]["securitySchemes"] == {"token": {"type": "http", "scheme": "bearer"}}
