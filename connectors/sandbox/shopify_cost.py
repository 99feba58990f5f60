"""What a query costs: scalars 0, objects 1, connections 2 and their children once per node asked for; a plain list
costs its objects, `first` of them or as many as ids were given. A mutation costs 10, whatever it tells.

The same walk over an answer gives the actual cost, with the nodes that came.
"""

from __future__ import annotations

from typing import Any

from graphql import (
    BooleanValueNode,
    DirectiveNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    is_leaf_type,
    is_list_type,
)
from graphql.type import get_nullable_type

UNKNOWN: Any = object()
MUTATION = 10


class Meter:
    def __init__(
        self, schema: GraphQLSchema, fragments: dict[str, FragmentDefinitionNode], variables: dict[str, Any]
    ) -> None:
        self._schema, self._fragments, self._variables = schema, fragments, variables

    def cost(self, operation: OperationDefinitionNode, data: Any = UNKNOWN) -> int:
        """Requested cost, or actual cost when `data` (the answer) is given. Names must be validated before."""
        if operation.operation is OperationType.MUTATION:
            return MUTATION * len(operation.selection_set.selections)
        root = self._schema.query_type
        return self._selections(operation.selection_set, root, data) if root is not None else 0

    def _selections(self, selections: SelectionSetNode, parent: GraphQLNamedType, data: Any) -> int:
        total = 0
        for selection in selections.selections:
            if isinstance(selection, FieldNode):
                total += self._field(selection, parent, data)
            elif isinstance(selection, InlineFragmentNode):
                name = selection.type_condition.name.value if selection.type_condition else parent.name
                total += self._fragment(selection.selection_set, name, parent, data)
            elif isinstance(selection, FragmentSpreadNode):
                fragment = self._fragments[selection.name.value]
                total += self._fragment(fragment.selection_set, fragment.type_condition.name.value, parent, data)
        return total

    def _fragment(self, selections: SelectionSetNode, name: str, parent: GraphQLNamedType, data: Any) -> int:
        return self._selections(selections, self._schema.type_map.get(name, parent), data)

    def _field(self, node: FieldNode, parent: GraphQLNamedType, data: Any) -> int:
        fields = parent.fields if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType) else {}
        definition = fields.get(node.name.value)
        if definition is None or node.selection_set is None or self._is_left_out(node):
            return 0
        kind = get_named_type(definition.type)
        if is_leaf_type(kind) or kind.name == "PageInfo":
            return 0
        key = node.alias.value if node.alias else node.name.value
        found = UNKNOWN if data is UNKNOWN else (data or {}).get(key)
        if found is None:
            return 0
        if kind.name.endswith("Connection"):
            return 2 + self._connection(node, node.selection_set, kind, found)
        each = node.selection_set
        if is_list_type(get_nullable_type(definition.type)):
            if found is UNKNOWN:
                size = self._argument(node, "first") or self._length(node, "ids") or 1
                return size * (1 + self._selections(each, kind, UNKNOWN))
            return sum(1 + self._selections(each, kind, item) for item in found if item is not None)
        return 1 + self._selections(each, kind, found)

    def _connection(self, node: FieldNode, inside: SelectionSetNode, kind: GraphQLNamedType, data: Any) -> int:
        size = self._argument(node, "first") or self._argument(node, "last") or 0
        total = 0
        for part in inside.selections:
            if not isinstance(part, FieldNode) or part.name.value not in ("nodes", "edges"):
                continue
            item = get_named_type(kind.fields[part.name.value].type) if isinstance(kind, GraphQLObjectType) else kind
            free = part.name.value == "edges"  # the edge is no object of its own; its node is
            if part.selection_set is None:
                continue
            if data is UNKNOWN:
                total += size * (self._selections(part.selection_set, item, UNKNOWN) + (not free))
            else:
                key = part.alias.value if part.alias else part.name.value
                for found in data.get(key) or []:
                    total += self._selections(part.selection_set, item, found) + (not free)
        return total

    def _is_left_out(self, node: FieldNode) -> bool:
        for directive in node.directives:
            condition = self._value(directive, "if")
            if condition is (directive.name.value == "skip"):
                return True
        return False

    def _argument(self, node: FieldNode, name: str) -> int | None:
        found = self._value(node, name)
        return found if isinstance(found, int) else None

    def _length(self, node: FieldNode, name: str) -> int | None:
        found = self._value(node, name)
        return len(found) if isinstance(found, list) else None

    def _value(self, node: FieldNode | DirectiveNode, name: str) -> Any:
        """What a query gives for an argument, where it concerns the cost: a number, a truth or a list."""
        for argument in node.arguments:
            value = argument.value
            if argument.name.value != name:
                continue
            if isinstance(value, IntValueNode):
                return int(value.value)
            if isinstance(value, BooleanValueNode):
                return value.value
            if isinstance(value, ListValueNode):
                return list(value.values)
            if isinstance(value, VariableNode):
                return self._variables.get(value.name.value)
        return None
