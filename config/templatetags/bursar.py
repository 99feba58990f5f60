"""Template filters of the admin pages."""

from __future__ import annotations

from datetime import datetime, timedelta

from django import template
from django.utils import timezone

register = template.Library()


@register.filter
def words(name: str) -> str:
    """`low_roas_freeze` as `low roas freeze`."""
    return name.replace("_", " ")


@register.filter
def ppm(value: int | None, places: int = 1) -> str:
    """Millionths as a number: `4.6`."""
    return "–" if value is None else f"{value / 1_000_000:.{places}f}"


@register.filter
def ppm_of_hundred(value: int) -> int:
    """Millionths of one as a whole number of 100."""
    return value // 10_000


@register.filter
def thousands(value: int) -> str:
    return f"{value:,}"


@register.filter
def spaced(name: str) -> str:
    """`AffiliateSale` as `Affiliate sale`."""
    return "".join(f" {c.lower()}" if c.isupper() else c for c in name).strip().capitalize()


@register.filter
def percent(value: int | None) -> str:
    """Millionths as whole percents: `72 %`."""
    return "–" if value is None else f"{value // 10_000} %"


@register.filter
def until(moment: datetime | None) -> str:
    """How long it is until then: `5 h 12 min`, `3 d 4 h`, or `now`."""
    left = moment - timezone.now() if moment else timedelta()
    minutes = max(0, int(left.total_seconds() // 60))
    if not minutes:
        return "now"
    hours, days = minutes // 60, minutes // 1440
    if days:
        return f"{days} d {hours % 24} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"
