"""Errors in Meta's shape and codes (marketing-api error reference)."""

from __future__ import annotations

import hashlib
from typing import Any

from connectors.sandbox.answers import Response, answer


class MetaError(Exception):
    """An error in Meta's terms. `label` is how the ledger names it: `code` or `code/subcode`."""

    def __init__(
        self,
        code: int,
        message: str,
        subcode: int = 0,
        *,
        blame: str = "",
        status: int = 400,
        transient: bool = False,
    ) -> None:
        super().__init__(message)
        self.code, self.subcode, self.message = code, subcode, message
        self.blame, self.status, self.transient = blame, status, transient

    @property
    def label(self) -> str:
        return f"{self.code}/{self.subcode}" if self.subcode else str(self.code)


FAULTS = {
    "rate_limit": MetaError(17, "User request limit reached", 2446079),
    "server_error": MetaError(2, "An unexpected error has occurred. Please retry.", status=500, transient=True),
    "expired_token": MetaError(190, "Error validating access token: Session has expired.", 463),
}

UNKNOWN_TOKEN = MetaError(190, "Error validating access token: The session is invalid.", 467)


def invalid(field: str, why: str = "", subcode: int = 0) -> MetaError:
    return MetaError(100, f"Invalid parameter: {field}" + (f": {why}" if why else ""), subcode, blame=field)


def missing(field: str) -> MetaError:
    return MetaError(100, f"(#100) The parameter {field} is required", blame=field)


def no_such_object(node: str) -> MetaError:
    text = (
        f"Unsupported request. Object with ID '{node}' does not exist, or cannot be loaded due to missing permissions"
    )
    return MetaError(100, text, 33)


def error_body(error: MetaError) -> dict[str, Any]:
    body: dict[str, Any] = {
        "message": error.message,
        "type": "OAuthException",
        "code": error.code,
        "is_transient": error.transient,
        "fbtrace_id": hashlib.sha256(error.message.encode(errors="replace")).hexdigest()[:22],
    }
    if error.subcode:
        body |= {
            "error_subcode": error.subcode,
            "error_user_title": "The request was refused",
            "error_user_msg": error.message,
        }
    if error.blame:
        body["error_data"] = {"blame_field_specs": [[error.blame]]}
    return {"error": body}


def error_answer(error: MetaError) -> Response:
    return answer(error_body(error), error.status)
