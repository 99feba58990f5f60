"""`Idempotency-Key`: a POST takes effect at most once per tenant and key, and its answer can be had again.

Claim, effect and stored answer are one transaction, so a crash leaves all of them or nothing. Refusals of
the request itself are kept too; answers that invite a retry (409, 429, 5xx) are not, and undo the claim.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.http import Http404
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import APIException
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api_views import PartnerView, Problem
from accounts.models import IdempotentRequest, Tenant

REPLAYED = "Idempotency-Replayed"
PROBLEM_TYPE = "application/problem+json"

_KEY = re.compile(r"[!-~]{1,120}")

KEY_PARAMETER = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "pattern": "^[!-~]{1,120}$"},
    OpenApiParameter.HEADER,
    description="The same key and body again give the stored answer, and no second effect.",
)

Handler = Callable[..., Response]


def once(handler: Handler) -> Handler:
    """A POST handler in one transaction, and at most once per key when the request names one."""

    @wraps(handler)
    def post(view: PartnerView, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get("Idempotency-Key")
        if key is not None and not _KEY.fullmatch(key):
            raise Problem(400, "invalid_idempotency_key", "Idempotency-Key: expected 1 to 120 visible ASCII characters")
        _ = request.data
        with transaction.atomic():
            if key is None:
                return handler(view, request, *args, **kwargs)
            fingerprint = _fingerprint(request)
            kept = _claim(view.tenant, key, fingerprint)
            if isinstance(kept, Response):
                return kept
            response = _attempt(handler, view, request, *args, **kwargs)
            _settle(kept, response)
        return response

    return post


def _fingerprint(request: Request) -> str:
    told = f"{request.method} {request.get_full_path()}\n".encode() + request.body
    return hashlib.sha256(told).hexdigest()


def _claim(tenant: Tenant, key: str, fingerprint: str) -> IdempotentRequest | Response:
    """The row that is now ours, or the answer that was given before."""
    if not _alone(tenant.pk, key):
        raise Problem(409, "request_in_flight", "a request with this Idempotency-Key is under way")
    row = IdempotentRequest.objects.filter(tenant=tenant, key=key).first()
    if row is None:
        made: IdempotentRequest = IdempotentRequest.objects.create(tenant=tenant, key=key, fingerprint=fingerprint)
        return made
    if row.fingerprint != fingerprint:
        raise Problem(
            422, "idempotency_key_reused", "this Idempotency-Key was used for another request: take a new one"
        )
    kind = PROBLEM_TYPE if row.status_code >= 400 else None
    return Response(row.body, row.status_code, headers={REPLAYED: "true"}, content_type=kind)


def _alone(tenant_id: UUID, key: str) -> bool:
    """Whether no other transaction works on this key. On SQLite writing transactions exclude each other."""
    if connection.vendor != "postgresql":
        return True
    name = hashlib.sha256(f"{tenant_id}:{key}".encode()).digest()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [int.from_bytes(name[:8], "big", signed=True)])
        return bool(cursor.fetchone()[0])


def _attempt(handler: Handler, view: PartnerView, request: Request, *args: Any, **kwargs: Any) -> Response:
    """The handler's answer; a refusal leaves nothing of what it had done."""
    try:
        with transaction.atomic():
            return handler(view, request, *args, **kwargs)
    except (APIException, Http404, PermissionDenied) as error:
        return view.handle_exception(error)


def _settle(row: IdempotentRequest, response: Response) -> None:
    if response.status_code in (409, 429) or response.status_code >= 500:
        transaction.set_rollback(True)
        return
    body = json.loads(JSONRenderer().render(response.data))
    IdempotentRequest.objects.filter(pk=row.pk).update(status_code=response.status_code, body=body)
