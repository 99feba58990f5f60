"""How admin pages show and read money and shares: text outside, whole micros and millionths inside."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from django import forms
from django.db import models
from django.forms.fields import InvalidJSONInput
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminExpandableTextareaWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminTextInputWidget,
)

from accounts.money import MICROS, PPM, micros_from_text, money_text

# A callable that the admin takes where it takes a field's name.
Column = Any

MAX_JSON_BRACKETS = 400

_SHARE = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")
_CURRENCY_PATHS = (
    "currency",
    "ad_account.currency",
    "ad_set.ad_account.currency",
    "ad.ad_account.currency",
    "store.currency",
    "order.currency",
    "action.currency",
    "tenant.currency",
)
# Millionths that people read as a factor, such as a ROAS of 0.8, and not as a percentage.
FACTORS = ("freeze_roas_ppm", "lambda_ppm", "lambda_spend_ppm", "lagrange_step_ppm", "target_roas_ppm")


def currency_of(row: Any) -> str:
    """The ISO 4217 code that a row's amounts are in, from the row or what it belongs to."""
    for path in _CURRENCY_PATHS:
        value = row
        for name in path.split("."):
            value = getattr(value, name, None)
        if value:
            return str(value)
    return ""


def label_of(name: str) -> str:
    return name.removesuffix("_micros").removesuffix("_ppm").replace("_", " ").capitalize()


def share_text(ppm: int | None, name: str = "") -> str:
    """Millionths as `20 %`, or as a factor such as `0.8` for the fields in `FACTORS`."""
    if ppm is None:
        return "–"
    scale, suffix = (PPM, "") if name in FACTORS else (PPM // 100, " %")
    return f"{_plain(Decimal(ppm) / scale)}{suffix}"


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def money(name: str, description: str = "") -> Column:
    """A column or read-only field that shows an amount as `30.00 USD`."""

    @display(description=description or label_of(name), ordering=name)
    def column(row: Any) -> str:
        return money_text(getattr(row, name), currency_of(row))

    column.__name__ = name
    return column


def share(name: str) -> Column:
    """A column or read-only field that shows millionths."""

    @display(description=label_of(name), ordering=name)
    def column(row: Any) -> str:
        return share_text(getattr(row, name), name)

    column.__name__ = name
    return column


def readable(field: Any) -> Any:
    """A field's name, or the column that shows it when it holds micros or millionths."""
    if not isinstance(field, str):
        return tuple(map(readable, field)) if isinstance(field, tuple | list) else field
    return money(field) if field.endswith("_micros") else share(field) if field.endswith("_ppm") else field


class MoneyField(forms.CharField):
    """An amount such as `40.00`; cleans to micros, `None` when empty."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("widget", UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal"}))
        super().__init__(max_length=17, empty_value=None, **kwargs)

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if text is None:
            return None
        try:
            return micros_from_text(text)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error

    def run_validators(self, value: Any) -> None:
        """The parser is the validator: the inherited ones measure text."""

    def prepare_value(self, value: Any) -> Any:
        return f"{value // MICROS}.{value % MICROS:06d}".removesuffix("0000") if isinstance(value, int) else value


class ShareField(MoneyField):
    """A percentage such as `20`, or a factor such as `0.8`; cleans to millionths."""

    def __init__(self, *, scale: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = scale

    def to_python(self, value: Any) -> Any:
        text = forms.CharField.to_python(self, value)
        if text is None:
            return None
        ppm = Decimal(text) * self.scale if _SHARE.fullmatch(text) else Decimal("0.5")
        if ppm != int(ppm) or ppm > 2**31 - 1:
            raise forms.ValidationError(f"expected a number such as 20 or 0.5, got {text[:40]!r}")
        return int(ppm)

    def prepare_value(self, value: Any) -> Any:
        return _plain(Decimal(value) / self.scale) if isinstance(value, int) else value


class JsonField(forms.JSONField):
    """JSON that a person may have pasted from anywhere: too deep, or numbers too long, is refused like bad syntax."""

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str) and value.count("[") + value.count("{") > MAX_JSON_BRACKETS:
            raise forms.ValidationError("expected JSON with fewer levels")
        try:
            return super().to_python(value)
        except ValueError as error:
            raise forms.ValidationError("expected JSON with shorter numbers") from error

    def bound_data(self, data: Any, initial: Any) -> Any:
        """What was typed, as it was typed, when it is not JSON."""
        try:
            self.to_python(data)
        except forms.ValidationError:
            return InvalidJSONInput(data)
        return super().bound_data(data, initial)


class SecretField(forms.CharField):
    """A write-only box: never shown again; left blank, the stored secret stays."""

    def __init__(self, **kwargs: Any) -> None:
        widget = UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}, render_value=False)
        kwargs.setdefault("help_text", "Write-only. Blank keeps what is stored.")
        super().__init__(required=False, widget=widget, max_length=4000, **kwargs)

    def validate(self, value: Any) -> None:
        super().validate(value)
        if value.startswith("enc1:"):
            raise forms.ValidationError("this is a sealed value; expected the clear secret")


def form_field(db_field: models.Field[Any, Any]) -> forms.Field | None:
    """The form field of a column in micros, in millionths or of JSON; `None` for any other column."""
    shared: dict[str, Any] = {"required": not db_field.blank, "help_text": db_field.help_text}
    label = str(db_field.verbose_name)
    shared["label"] = label_of(label.replace(" ", "_")).removesuffix(" micros").removesuffix(" ppm")
    if isinstance(db_field, models.JSONField):
        return JsonField(widget=UnfoldAdminExpandableTextareaWidget(), **shared)
    if db_field.name.endswith("_micros"):
        return MoneyField(**shared)
    if db_field.name.endswith("_ppm"):
        is_factor = db_field.name in FACTORS
        shared["label"] += "" if is_factor else " (%)"
        return ShareField(scale=PPM if is_factor else PPM // 100, **shared)
    return None
