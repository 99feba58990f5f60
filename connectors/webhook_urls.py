"""The addresses that platforms push their news to."""

from __future__ import annotations

from django.urls import URLPattern

app_name = "webhooks"

urlpatterns: list[URLPattern] = []
