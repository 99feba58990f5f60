"""The addresses that platforms push their news to."""

from __future__ import annotations

from django.urls import path

from connectors import webhook_views

app_name = "webhooks"

urlpatterns = [
    path("shopify/", webhook_views.shopify, name="shopify"),
    path("tiktok-shop/", webhook_views.tiktok_shop, name="tiktok_shop"),
]
