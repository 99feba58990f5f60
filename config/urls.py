"""Where everything is found."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/connect/", include("connectors.urls")),
    path("admin/", admin.site.urls),
    path("api/v1/", include("config.api")),
    path("webhooks/", include("connectors.webhook_urls")),
]

handler400 = "config.problems.bad_request"
handler403 = "config.problems.forbidden"
handler404 = "config.problems.not_found"
handler500 = "config.problems.server_error"
