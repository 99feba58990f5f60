"""What the partner API's values look like: prefixed ids, money, times; and how strictly they are read."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import reduce
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.money import MAX_MICROS

_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})")
_YEARS = range(2000, 2101)

ACTION, AD_ACCOUNT, AD_SET, ASSESSMENT, CAMPAIGN, STORE = "act", "acc", "ads", "cra", "cmp", "sto"


def public_id(prefix: str, pk: uuid.UUID) -> str:
    """`ads_0f3c…`: opaque to partners."""
    return f"{prefix}_{pk.hex}"


def id_pattern(prefix: str) -> str:
    return f"{prefix}_[0-9a-f]{{32}}"


def parse_id(prefix: str, text: str) -> uuid.UUID | None:
    """The UUID behind a public id, `None` when it is not one."""
    return uuid.UUID(text[len(prefix) + 1 :]) if re.fullmatch(id_pattern(prefix), text) else None


class IdField(serializers.Field):
    """A public id of one kind of object over its UUID."""

    default_error_messages = {"invalid": "expected an id such as {example}"}

    def __init__(self, prefix: str, **kwargs: Any) -> None:
        self.prefix = prefix
        super().__init__(**kwargs)

    def to_representation(self, value: Any) -> str:
        return public_id(self.prefix, value)

    def to_internal_value(self, data: Any) -> uuid.UUID:
        found = parse_id(self.prefix, data) if isinstance(data, str) else None
        if found is None:
            self.fail("invalid", example=f"{self.prefix}_" + "0" * 32)
        return found


@extend_schema_field({"type": "string", "format": "date-time"})
class TimeField(serializers.Field):
    """An RFC 3339 moment with a zone; always UTC on the way out."""

    default_error_messages = {
        "invalid": "expected an RFC 3339 time such as 2026-11-20T15:00:00Z (write + as %2B in a query)"
    }

    def to_representation(self, value: datetime) -> str:
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")

    def to_internal_value(self, data: Any) -> datetime:
        if not isinstance(data, str) or not _TIME.fullmatch(data) or int(data[:4]) not in _YEARS:
            self.fail("invalid")
        try:
            return datetime.fromisoformat(data).astimezone(UTC)
        except ValueError:
            self.fail("invalid")


class TextField(serializers.CharField):
    """Text, and nothing that merely can be turned into it."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class StrictBooleanField(serializers.BooleanField):
    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=str(data)[:40])
        return data


class MicrosField(serializers.IntegerField):
    """A whole number of micros; text, fractions and booleans are not."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=1, max_value=MAX_MICROS, **kwargs)

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            self.fail("invalid")
        return data


class StrictSerializer(serializers.Serializer):
    """Refuses fields that it does not know."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = set(data) - set(self.fields) if isinstance(data, Mapping) else set()
        if unknown:
            raise serializers.ValidationError({str(name)[:40]: ["unknown field"] for name in sorted(unknown)})
        return super().to_internal_value(data)


class SpanQuery(StrictSerializer):
    """`from` and `to` of a half-open span."""

    to = TimeField(required=False, help_text="End of the span, itself not in it.")

    def get_fields(self) -> dict[str, serializers.Field]:
        return {"from": TimeField(required=False, help_text="Start of the span."), **super().get_fields()}


class MoneyInput(StrictSerializer):
    """An amount in micros (millionths of the currency unit)."""

    amount_micros = MicrosField()
    currency = TextField(min_length=3, max_length=3, trim_whitespace=False, help_text="ISO 4217.")


class Money(serializers.Serializer):
    amount_micros = serializers.IntegerField(help_text="Millionths of the currency unit; may be negative.")
    currency = serializers.CharField(help_text="ISO 4217.")


@extend_schema_field(Money)
class MoneyField(serializers.Field):
    """`{"amount_micros": …, "currency": …}` from two attributes (dots lead on); unknown is null."""

    def __init__(self, amount: str, currency: str = "currency", **kwargs: Any) -> None:
        self.amount, self.currency = amount, currency
        kwargs["source"] = "*"
        super().__init__(read_only=True, allow_null=True, **kwargs)

    def to_representation(self, value: Any) -> dict[str, Any] | None:
        amount = reduce(getattr, self.amount.split("."), value)
        if amount is None:
            return None
        return {"amount_micros": amount, "currency": reduce(getattr, self.currency.split("."), value)}
