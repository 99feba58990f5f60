"""Every error of the API as problem details (RFC 9457)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.views import defaults
from rest_framework import exceptions
from rest_framework.response import Response

from accounts.api_views import Problem
from accounts.idempotency import PROBLEM_TYPE
from accounts.middleware import API_PREFIX

log = logging.getLogger(__name__)

CODES = {
    400: "malformed_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "request_too_large",
    415: "unsupported_media_type",
    422: "invalid_request",
    429: "too_many_requests",
    500: "internal_error",
    503: "unavailable",
}


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler; `None` (a 500) for what is no answer to a request."""
    known = _known(error)
    if known is None:
        return None
    headers = {}
    if challenge := getattr(known, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    wait = getattr(known, "wait", None)
    if known.get_codes() == "request_in_flight" or known.status_code in (429, 503):
        headers["Retry-After"] = str(max(1, round(wait or 1)))
    code = str(known.get_codes()) if isinstance(known, Problem) else CODES[known.status_code]
    errors = getattr(known, "errors", [])
    body = problem(known.status_code, context["request"], code, str(known.detail), errors)
    return Response(body, known.status_code, headers=headers, content_type=PROBLEM_TYPE)


def _known(error: Exception) -> exceptions.APIException | None:
    if isinstance(error, exceptions.ValidationError):
        told = "well-formed but not valid: see errors"
        return Problem(422, CODES[422], told, _pointers("#", error.detail))
    if isinstance(error, exceptions.APIException):
        return error
    if isinstance(error, Http404):
        return exceptions.NotFound()
    if isinstance(error, PermissionDenied):
        return exceptions.PermissionDenied(str(error) or None)
    if isinstance(error, RequestDataTooBig):
        return Problem(413, CODES[413], "the body is larger than 256 KiB")
    if isinstance(error, UnreadablePostError):
        return Problem(400, CODES[400], "the body ended early")
    if isinstance(error, OperationalError):
        log.exception("the database did not answer an API request")
        return Problem(503, CODES[503], "the database is busy or away: try again")
    return None


def problem(
    status: int, request: Any, code: str = "", detail: str = "", errors: list[dict[str, str]] | None = None
) -> dict[str, Any]:
    code = code or CODES[status]
    return {
        "type": f"urn:bursar:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail or HTTPStatus(status).description or HTTPStatus(status).phrase,
        "errors": errors or [],
        "request_id": getattr(request, "request_id", ""),
    }


def _pointers(path: str, detail: Any) -> Iterator[dict[str, str]]:
    """One entry per message, with an RFC 6901 pointer into the body."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            step = "" if name == "non_field_errors" else "/" + str(name).replace("~", "~0").replace("/", "~1")
            yield from _pointers(path + step, inner)
    elif isinstance(detail, list):
        for inner in detail:
            yield from _pointers(path, inner)
    else:
        yield {"pointer": path, "detail": str(detail)}


def _answer(request: HttpRequest, status: int) -> HttpResponse:
    return JsonResponse(problem(status, request), status=status, content_type=PROBLEM_TYPE)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith(API_PREFIX):
        return _answer(request, 413 if isinstance(exception, RequestDataTooBig) else 400)
    return defaults.bad_request(request, exception)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith(API_PREFIX):
        return _answer(request, 403)
    return defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith(API_PREFIX):
        return _answer(request, 404)
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    if request.path.startswith(API_PREFIX):
        return _answer(request, 500)
    return defaults.server_error(request)
