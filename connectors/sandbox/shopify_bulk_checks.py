"""Which queries can run in bulk: what Shopify's API refuses, in its words.

At least one connection and at most five, read by `edges` and `node`, nested two deep in the first one, none in a plain
list; objects with connections below them have their id.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLNamedType,
    InlineFragmentNode,
    OperationType,
    SelectionSetNode,
    get_named_type,
    is_list_type,
)
from graphql.type import get_nullable_type

from connectors.sandbox.shopify_graphql import Query, schema

MOST_CONNECTIONS = 5
DEEPEST = 2


@dataclass
class _Seen:
    """What a query's connections are like."""

    fragments: dict[str, Any]
    connections: int = 0
    depth: int = 0
    by_nodes: list[str] = field(default_factory=list)
    without_id: list[str] = field(default_factory=list)
    is_in_list: bool = False


def problems_of(query: Query) -> list[str]:
    """Why a query cannot run in bulk, in Shopify's words."""
    fields = [each for each in query.operation.selection_set.selections if isinstance(each, FieldNode)]
    if query.operation.operation is not OperationType.QUERY:
        return ["Invalid operation type. Only `query` operations are supported."]
    if query.operation.variable_definitions:
        return ["Bulk queries cannot have variables."]
    if len(fields) != 1 or fields[0].name.value in ("node", "nodes"):
        return ["Bulk queries need exactly one top-level field, and cannot contain a top level `node` field."]
    seen, root = _Seen(query.fragments), schema().query_type
    assert root is not None
    _look(seen, query.operation.selection_set, root, 0, "", False)
    found = {
        f"All connection fields in a bulk query must select their contents using 'edges' > 'node', e.g: 'products {{ "
        f"edges {{ node {{'. Selecting via 'nodes' is not supported. Invalid connection fields: "
        f"'{', '.join(seen.by_nodes)}'.": bool(seen.by_nodes),
        "Bulk queries must contain at least one connection.": not seen.connections,
        f"Bulk queries cannot contain more than {MOST_CONNECTIONS} connections.": seen.connections > MOST_CONNECTIONS,
        f"Bulk queries cannot contain connections with a nesting depth greater than {DEEPEST}.": seen.depth
        > DEEPEST + 1,
        "The parent 'node' field for a nested connection must select the 'id' field without an alias and must be of "
        f"'ID' return type. Connection fields without 'id': {', '.join(seen.without_id)}.": bool(seen.without_id),
        "Queries that contain a connection field within a list field are not currently supported.": seen.is_in_list,
    }
    return [message for message, is_so in found.items() if is_so]


def _look(
    seen: _Seen, selections: SelectionSetNode, parent: GraphQLNamedType, depth: int, above: str, is_in_list: bool
) -> None:
    """`depth` counts the connections around; `above` names the innermost where its nodes have no id."""
    for part in selections.selections:
        if isinstance(part, InlineFragmentNode):
            kind = schema().type_map[part.type_condition.name.value] if part.type_condition else parent
            _look(seen, part.selection_set, kind, depth, above, is_in_list)
        elif isinstance(part, FragmentSpreadNode):
            fragment = seen.fragments[part.name.value]
            kind = schema().type_map[fragment.type_condition.name.value]
            _look(seen, fragment.selection_set, kind, depth, above, is_in_list)
        elif isinstance(part, FieldNode) and part.selection_set is not None and part.name.value[:2] != "__":
            _look_at_field(seen, part, part.selection_set, parent, depth, above, is_in_list)


def _look_at_field(
    seen: _Seen,
    part: FieldNode,
    inside: SelectionSetNode,
    parent: Any,
    depth: int,
    above: str,
    is_in_list: bool,
) -> None:
    type_ = parent.fields[part.name.value].type
    kind = get_named_type(type_)
    if not kind.name.endswith("Connection"):
        is_edges = parent.name.endswith("Connection") and part.name.value == "edges"
        is_list = is_list_type(get_nullable_type(type_)) and not is_edges
        if is_edges or (parent.name.endswith("Edge") and part.name.value == "node"):
            above = _without_id(seen, inside, above)
        _look(seen, inside, kind, depth, above, is_in_list or is_list)
        return
    seen.connections += 1
    seen.depth = max(seen.depth, depth + 1)
    seen.is_in_list |= is_in_list
    if depth and above:
        seen.without_id.append(above)
    if any(isinstance(each, FieldNode) and each.name.value == "nodes" for each in inside.selections):
        seen.by_nodes.append(part.name.value)
    _look(seen, inside, kind, depth + 1, part.name.value, is_in_list)


def _without_id(seen: _Seen, inside: SelectionSetNode, above: str) -> str:
    """Still `above`, unless these fields have the plain id."""
    fields = [each for each in inside.selections if isinstance(each, FieldNode)]
    return "" if any(each.name.value == "id" and not each.alias for each in fields) else above
