"""What drf-spectacular cannot see for itself: keys, ids, and the answers that every operation may give."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension

from accounts.api_fields import id_pattern
from accounts.idempotency import PROBLEM_TYPE

EVERY = {"400": "Malformed request", "406": "Not acceptable"}
KEYED = {
    "401": "No valid key",
    "403": "The key lacks the scope",
    "404": "No such object",
    "429": "Too many requests",
    "503": "Try again",
}
WRITING = {
    "409": "Conflict with how things stand",
    "413": "Body too large",
    "415": "Expected application/json",
    "422": "Not valid",
}
STRICT = ("ProposeRequest", "KillSwitchRequest", "MoneyInput")

PROBLEM = {
    "type": "object",
    "description": "RFC 9457 problem details. `code` is stable; `detail` is for people.",
    "required": ["type", "title", "status", "code", "detail", "errors", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["detail"],
                "properties": {
                    "pointer": {"type": "string", "description": "JSON pointer into the body."},
                    "parameter": {"type": "string", "description": "Query parameter."},
                    "detail": {"type": "string"},
                },
            },
        },
        "request_id": {"type": "string"},
    },
}


class PartnerKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "config.api_keys.PartnerKey"
    name = "PartnerKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "description": "A partner key, `bur_…`."}


class IdFieldSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = "accounts.api_fields.IdField"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{id_pattern(self.target.prefix)}$"}


def add_problems(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """Postprocessing hook: problem answers, and request bodies closed to other fields."""
    components = result["components"]
    components["schemas"]["Problem"] = PROBLEM
    for name in STRICT:
        components["schemas"][name]["additionalProperties"] = False
    everything = EVERY | KEYED | WRITING
    components["responses"] = {f"Problem{status}": _problem(told) for status, told in everything.items()}
    for methods in result["paths"].values():
        for method, operation in methods.items():
            told = EVERY | (KEYED if operation.get("security") else {}) | (WRITING if method == "post" else {})
            for status in told:
                operation["responses"].setdefault(status, {"$ref": f"#/components/responses/Problem{status}"})
    return result


def _problem(description: str) -> dict[str, Any]:
    content = {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": description, "content": content}
