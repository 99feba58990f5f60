"""Lists on Meta: what an edge shows, its filters, and its pages with cursors."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from operator import gt, lt
from typing import Any
from urllib.parse import urlencode

from connectors.sandbox import meta_fields
from connectors.sandbox.answers import loads
from connectors.sandbox.meta_creative import creative_of, creatives
from connectors.sandbox.meta_errors import MetaError
from connectors.sandbox.meta_fields import GONE, effective_status
from connectors.sandbox.meta_session import Call
from connectors.sandbox.tenants import AdObject
from connectors.sandbox.world import World

Keys = Sequence[str] | range

ORDERED = {"GREATER_THAN": gt, "LESS_THAN": lt}
SECONDS = re.compile(r"[0-9]{1,12}")
NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,6})?")


def edge(kind: str) -> Callable[[Call], dict[str, Any]]:
    """The edge that lists objects of one kind."""

    def show(call: Call) -> dict[str, Any]:
        things = listed(call, kind)
        return page(call, [o.id for o in things], lambda k: meta_fields.read(call.world, things[k], call.params))

    return show


def listed(call: Call, kind: str) -> list[AdObject]:
    """What an edge shows: not what is deleted or archived, unless the filter asks for it."""
    world, target, params = call.world, call.target, call.params
    if kind == "creative":
        things = _shown_by(world, target) if isinstance(target, AdObject) else creatives(world, target.id)
    else:
        things = world.account_objects(call.account.id, kind)
        things = _below(world, target, things) if isinstance(target, AdObject) else things
    asked = loads(params.get("effective_status", "[]"), [])
    if not isinstance(asked, list):
        raise MetaError(100, "(#100) effective_status must be a JSON array")
    conditions = conditions_of(params.get("filtering", "[]"))
    hidden = set(GONE) - set(map(str, asked)) - _named_statuses(conditions)
    things = [o for o in things if effective_status(world, o) not in hidden]
    if asked:
        things = [o for o in things if effective_status(world, o) in asked]
    if SECONDS.fullmatch(since := params.get("updated_since", "")):
        things = [o for o in things if o.updated.timestamp() > int(since)]
    return [o for o in things if all(passes(world, o, c) for c in conditions)]


def _below(world: World, target: AdObject, things: list[AdObject]) -> list[AdObject]:
    return [o for o in things if target.id in (o.parent, world.objects[o.parent].parent)]


def _shown_by(world: World, target: AdObject) -> list[AdObject]:
    """The creatives of an ad, or of the ads of an ad set, each once."""
    ads = [target] if target.kind == "ad" else world.children[target.id]
    shown = {o.id: o for ad in ads if (o := creative_of(world, ad)) is not None}
    return list(shown.values())


def conditions_of(text: str) -> list[Any]:
    """The conditions of a `filtering` parameter. Raises MetaError when it is no JSON array."""
    conditions = loads(text, None)
    if not isinstance(conditions, list):
        raise MetaError(100, "(#100) filtering must be a JSON array")
    return conditions


def _named_statuses(conditions: list[Any]) -> set[str]:
    found: set[str] = set()
    for condition in conditions:
        if isinstance(condition, dict) and str(condition.get("field", "")).endswith("effective_status"):
            found |= {str(v) for v in _many(condition.get("value"))}
    return found


def _many(given: Any) -> list[Any]:
    return given if isinstance(given, list) else [given]


def passes(world: World, thing: AdObject, condition: Any) -> bool:
    """One `{"field", "operator", "value"}`, the field with or without the name of its level."""
    if not isinstance(condition, dict):
        raise MetaError(100, "(#100) filtering must be an array of objects")
    name = str(condition.get("field", "")).rpartition(".")[2]
    timed = {"updated_time": thing.updated, "created_time": thing.created}
    held = int(timed[name].timestamp()) if name in timed else meta_fields.value(world, thing, name)
    return compare(held, condition)


def compare(held: Any, condition: dict[str, Any]) -> bool:
    """Whether what is held meets the condition. Raises MetaError for one that Meta does not know."""
    wanted, operator = condition.get("value"), condition.get("operator")
    if held is None:
        raise MetaError(100, f"(#100) Filtering field {condition.get('field')} is invalid")
    texts = set(map(str, _many(wanted)))
    if operator in ("IN", "EQUAL"):
        return str(held) in texts
    if operator in ("NOT_IN", "NOT_EQUAL"):
        return str(held) not in texts
    if operator in ("CONTAIN", "NOT_CONTAIN") and isinstance(wanted, str):
        return bool((wanted.lower() in str(held).lower()) == (operator == "CONTAIN"))
    if operator in ORDERED and NUMBER.fullmatch(str(wanted)) and NUMBER.fullmatch(str(held)):
        return bool(ORDERED[operator](float(held), float(str(wanted))))
    raise MetaError(100, f"(#100) Filtering operator {operator} is invalid")


def page(call: Call, keys: Keys, body: Callable[[int], Any]) -> dict[str, Any]:
    """One page of what `keys` stand for; `body(k)` writes the k-th. `next` only when there is more."""
    params, request = call.params, call.request
    text = params.get("limit", "25")
    if not re.fullmatch(r"[0-9]{1,4}", text) or int(text) < 1:
        raise MetaError(100, "(#100) limit must be a positive integer")
    limit, start = int(text), 0
    if "after" in params:
        start = _place(keys, params["after"]) + 1
    elif "before" in params:
        start = max(_place(keys, params["before"]) - limit, 0)
    end = min(start + limit, len(keys))
    told: dict[str, Any] = {"data": [body(k) for k in range(start, end)]}
    if told["data"]:
        told["paging"] = _paging(call, keys, start, end)
    if params.get("summary", "false") not in ("false", "0", "") and "insights" not in request.path:
        told["summary"] = {"total_count": len(keys)}
    return told


def _paging(call: Call, keys: Keys, start: int, end: int) -> dict[str, Any]:
    request, limit = call.request, call.params.get("limit", "25")
    paging: dict[str, Any] = {"cursors": {"before": _cursor(keys[start]), "after": _cursor(keys[end - 1])}}
    query = {k: v for k, v in request.args.items() if k not in ("after", "before")} | {"limit": limit}
    if end < len(keys):
        paging["next"] = f"{request.base_url}?{urlencode({**query, 'after': paging['cursors']['after']})}"
    if start > 0:
        paging["previous"] = f"{request.base_url}?{urlencode({**query, 'before': paging['cursors']['before']})}"
    return paging


def _cursor(key: str | int) -> str:
    return base64.urlsafe_b64encode(f"at:{key}".encode()).decode().rstrip("=")


def _place(keys: Keys, cursor: str) -> int:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        key = raw.decode("ascii").removeprefix("at:")
        if isinstance(keys, range):
            return keys.index(int(key))
        return keys.index(key)
    except (binascii.Error, ValueError) as error:
        raise MetaError(100, "Invalid cursor") from error
