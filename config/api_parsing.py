"""JSON bodies, read strictly before anything sees them."""

from __future__ import annotations

import json
import re
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

MAX_DEPTH = 32

# A string, whether or not it ends: it always matches, so that hostile text is scanned once only.
_STRING = re.compile(r'"(?:[^"\\]|\\.?)*+(?:"|\Z)', re.DOTALL)
_UNSAFE = re.compile("[\x00\ud800-\udfff]")


class StrictJsonParser(BaseParser):
    """One JSON object, at most 32 deep: no repeated names, fractions, NaN, NUL or lone surrogates."""

    media_type = "application/json"

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None) -> dict[str, Any]:
        body: bytes = parser_context["request"].body
        return parse_object(body)


def parse_object(body: bytes) -> dict[str, Any]:
    """Raises `ParseError`, whatever the bytes."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ParseError("expected UTF-8") from error
    _check_depth(text)
    try:
        parsed = json.loads(
            text, object_pairs_hook=_unique, parse_float=_refuse_fraction, parse_constant=_refuse_constant
        )
    except ValueError as error:
        raise ParseError(f"not JSON: {str(error)[:100]}") from error
    if not isinstance(parsed, dict):
        raise ParseError("expected a JSON object")
    _check_texts(parsed)
    return parsed


def _check_depth(text: str) -> None:
    depth = 0
    for bracket in re.findall(r"[\[{\]}]", _STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_DEPTH:
            raise ParseError(f"nested more than {MAX_DEPTH} deep")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ParseError("a name stands twice in one object")
    return found


def _refuse_fraction(text: str) -> None:
    raise ParseError("a number with a fraction or exponent: amounts are whole micros")


def _refuse_constant(text: str) -> None:
    raise ParseError(f"{text} is not JSON")


def _check_texts(value: Any) -> None:
    if isinstance(value, str) and _UNSAFE.search(value):
        raise ParseError("a text holds NUL or a lone surrogate")
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        for inner in value:
            _check_texts(inner)
