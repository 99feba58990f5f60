"""A partner as tests see one: an HTTP client with a key."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from django.test import Client

from accounts.api_fields import AD_SET, public_id
from accounts.api_keys import create_key
from accounts.models import ApiKey
from accounts.scoping import all_tenants
from tests.factories import House

ALL_SCOPES = ("read", "propose", "stop")


class Partner:
    """Speaks JSON to `/api/v1/`; `get` and `post` give Django's response."""

    def __init__(self, house: House, scopes: tuple[str, ...] = ALL_SCOPES) -> None:
        self.row, self.secret = make_key(house, scopes)
        self.client = Client(raise_request_exception=False, headers={"Authorization": f"Bearer {self.secret}"})

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(f"/api/v1/{path}", query)

    def post(self, path: str, body: Any, *, key: str | None = None, **headers: str) -> Any:
        text = body if isinstance(body, (str, bytes)) else json.dumps(body)
        sent = headers | ({"Idempotency-Key": key} if key is not None else {})
        return self.client.post(f"/api/v1/{path}", text, content_type="application/json", headers=sent)


def make_key(house: House, scopes: tuple[str, ...] = ALL_SCOPES) -> tuple[ApiKey, str]:
    with all_tenants():
        return create_key(
            tenant=house.tenant,
            name="Partner",
            scopes=scopes,
            actor=None,
            expires_at=datetime.now(UTC) + timedelta(days=1),
        )


def budget_change(house: House, dollars: int = 44, **values: Any) -> dict[str, Any]:
    """A proposal for the first ad set, whose budget is 40 dollars."""
    return {
        "ad_set": public_id(AD_SET, house.ad_sets[0].pk),
        "kind": "set_budget",
        "daily_budget": {"amount_micros": dollars * 1_000_000, "currency": "USD"},
        "reason": "the new creative sells",
        **values,
    }


def assert_problem(response: Any, status: int, code: str) -> dict[str, Any]:
    """The answer is a whole problem of this kind; returns it."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert set(body) == {"type", "title", "status", "code", "detail", "errors", "request_id"}
    assert (body["status"], body["code"], body["type"]) == (status, code, f"urn:bursar:problem:{code}")
    assert body["request_id"] == response["X-Request-Id"]
    return body
