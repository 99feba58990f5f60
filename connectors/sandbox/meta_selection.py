"""Meta's way to name fields: `a,b{c,d{e}}`, or a JSON array of such texts."""

from __future__ import annotations

from dataclasses import dataclass, field

from connectors.sandbox.answers import loads
from connectors.sandbox.meta_errors import MetaError

DEEPEST = 6


@dataclass(frozen=True)
class Field:
    name: str
    inner: list[Field] = field(default_factory=list)


def field_list(text: str) -> list[Field]:
    """The fields that `text` names. Raises MetaError for braces that do not match or stand too deep."""
    named = loads(text)
    texts = [str(part) for part in named] if isinstance(named, list) else [text]
    return [found for part in texts for found in _fields(part, DEEPEST)]


def field_names(text: str) -> list[str]:
    """The outermost names only."""
    return [found.name for found in field_list(text)]


def _fields(text: str, depth: int) -> list[Field]:
    if not depth:
        raise _syntax(text)
    return [_field(part, depth) for part in _split(text) if part]


def _field(text: str, depth: int) -> Field:
    name, brace, rest = text.partition("{")
    if not brace:
        return Field(text)
    if not rest.endswith("}"):
        raise _syntax(text)
    return Field(name.strip(), _fields(rest[:-1], depth - 1))


def _split(text: str) -> list[str]:
    """The parts between commas that stand outside braces."""
    parts, depth, start = [], 0, 0
    for place, letter in enumerate(text):
        depth += (letter == "{") - (letter == "}")
        if depth < 0:
            raise _syntax(text)
        if letter == "," and not depth:
            parts.append(text[start:place].strip())
            start = place + 1
    if depth:
        raise _syntax(text)
    return [*parts, text[start:].strip()]


def _syntax(text: str) -> MetaError:
    return MetaError(2500, f"Syntax error in the fields: {text[:80]}")
