"""What every view of the partner API shares: scopes, problems, query parameters and pages."""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from django.db.models import Model, Q, QuerySet
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.exceptions import APIException, NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api_fields import StrictSerializer, id_pattern, parse_id
from accounts.api_scopes import HasScope
from accounts.models import ApiKey, Tenant

DEFAULT_LIMIT, MAX_LIMIT = 50, 200

_LIMIT = re.compile(r"[1-9][0-9]{0,2}")
_CURSOR = re.compile(r"([0-9]{1,17})\.([0-9a-f]{32})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

PAGE_PARAMETERS = [
    OpenApiParameter("cursor", str, description="`next` of the page before."),
    OpenApiParameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
        description="Rows per page.",
    ),
]


class Problem(APIException):
    """An answer to a request that cannot be met; `errors` says where in the request."""

    def __init__(self, status: int, code: str, detail: str, errors: Iterable[dict[str, str]] = ()) -> None:
        super().__init__(detail, code)
        self.status_code = status
        self.errors = list(errors)


def bad_parameter(name: str, detail: str) -> Problem:
    return Problem(400, "invalid_parameter", f"{name}: {detail}", [{"parameter": name, "detail": detail}])


class ApiView(APIView):
    http_method_names = ["get", "head", "post"]


class PartnerView(ApiView):
    """A view for keys; `scopes` names what each method needs."""

    scopes: ClassVar[dict[str, str]] = {"GET": "read"}
    permission_classes = [HasScope]

    @property
    def key(self) -> ApiKey:
        key: ApiKey = self.request.auth  # type: ignore[assignment]
        return key

    @property
    def tenant(self) -> Tenant:
        return self.key.tenant


def read_query(request: Request, query: type[StrictSerializer], *also: str) -> dict[str, Any]:
    """The query parameters, checked by a serializer; unknown and repeated ones are refused."""
    params = request.query_params
    for name, values in params.lists():
        if len(values) > 1:
            raise bad_parameter(str(name)[:40], "given more than once")
    checked = query(data={name: value for name, value in params.items() if name not in also})
    if not checked.is_valid():
        name, details = next(iter(checked.errors.items()))
        raise bad_parameter(str(name), str(details[0]))
    return dict(checked.validated_data)


def path_id(name: str, prefix: str) -> OpenApiParameter:
    """The id in a path, for the schema."""
    pattern = {"type": "string", "pattern": f"^{id_pattern(prefix)}$"}
    return OpenApiParameter(name, pattern, OpenApiParameter.PATH)


def one_of(rows: QuerySet[Any], prefix: str, text: str) -> Any:
    """The row with this public id; one that is malformed, missing or another tenant's is not found."""
    pk = parse_id(prefix, text)
    row = rows.filter(pk=pk).first() if pk else None
    if row is None:
        raise NotFound(f"there is no such object as {text[:40]!r}")
    return row


def page(request: Request, rows: QuerySet[Any], shape: type[serializers.BaseSerializer[Any]]) -> Response:
    """One page, newest first: `{data, has_more, next}`. Rows made meanwhile move nothing."""
    limit = _limit(request.query_params.get("limit"))
    cursor = request.query_params.get("cursor")
    if cursor is not None:
        made, pk = _read_cursor(cursor)
        rows = rows.filter(Q(created_at__lt=made) | Q(created_at=made, pk__lt=pk))
    found = list(rows.order_by("-created_at", "-pk")[: limit + 1])
    has_more, found = len(found) > limit, found[:limit]
    next_cursor = _write_cursor(found[-1]) if has_more else None
    return Response({"data": shape(found, many=True).data, "has_more": has_more, "next": next_cursor})


def page_of(shape: type[serializers.Serializer]) -> type[serializers.Serializer]:
    """The schema of a page of these."""
    fields = {
        "data": shape(many=True),
        "has_more": serializers.BooleanField(),
        "next": serializers.CharField(allow_null=True, help_text="The `cursor` of the next page."),
    }
    meta = type("Meta", (), {"ref_name": f"{shape.Meta.ref_name}Page"})  # type: ignore[attr-defined]
    return type("Page", (serializers.Serializer,), fields | {"Meta": meta})


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not _LIMIT.fullmatch(text) or int(text) > MAX_LIMIT:
        raise bad_parameter("limit", f"expected a whole number from 1 to {MAX_LIMIT}")
    return int(text)


def _write_cursor(row: Model) -> str:
    made: datetime = row.created_at  # type: ignore[attr-defined]
    text = f"{(made - _EPOCH) // timedelta(microseconds=1)}.{row.pk.hex}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[datetime, uuid.UUID]:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        text = ""
    match = _CURSOR.fullmatch(text)
    if not match:
        raise bad_parameter("cursor", "expected the `next` of the page before")
    return _EPOCH + timedelta(microseconds=int(match[1])), uuid.UUID(match[2])
