"""How a credential stands, in one word that lists, pages and alerts agree on."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models

# How long before a token expires it is renewed, though nothing has needed it. Shopify's live an hour and are renewed
# as they are needed; one that has ended is renewed too, so that an idle shop stays connected.
RENEWED_BEFORE = {"meta": timedelta(days=10), "tiktok_shop": timedelta(days=2), "shopify": timedelta(0)}
# When as little is left of a token that is not renewed by itself, people must act.
URGENT = timedelta(days=2)
# What renewing needs ends too: people are told this long before, and once more when little is left.
LOGIN_ENDS_SOON = timedelta(days=30)
LOGIN_ENDS_NOW = timedelta(days=7)
# How `Credential.problem` begins when a token could not be renewed, though it still opens the platform.
NOT_RENEWED = "Not renewed: "


class LoginState(models.TextChoices):
    CONNECTED = "connected", "Connected"
    ENDING = "ending", "Ends soon"
    NEEDED = "needed", "Login needed"
    DISCONNECTED = "disconnected", "Disconnected"


def login_state(
    *,
    has_token: bool,
    expires_at: datetime | None,
    problem: str,
    now: datetime,
    refresh_expires_at: datetime | None = None,
) -> LoginState:
    """What counts is until when people need not log in: of a token that renews itself, the end of that."""
    if not has_token:
        return LoginState.DISCONNECTED
    ends, soon = (refresh_expires_at, LOGIN_ENDS_SOON) if refresh_expires_at else (expires_at, URGENT)
    if (problem and not problem.startswith(NOT_RENEWED)) or (ends and ends <= now):
        return LoginState.NEEDED
    return LoginState.ENDING if problem or (ends and ends <= now + soon) else LoginState.CONNECTED
