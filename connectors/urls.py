"""The addresses under which ad accounts are connected; the callback's stands in the platforms' app settings."""

from __future__ import annotations

from django.urls import path

from connectors import views

app_name = "connect"

urlpatterns = [
    path("again/<uuid:pk>/", views.page(views.again), name="again"),
    path("choose/<uuid:pk>/", views.page(views.choose), name="choose"),
    path("disconnect/account/<uuid:pk>/", views.page(views.disconnect_account), name="disconnect_account"),
    path("disconnect/login/<uuid:pk>/", views.page(views.disconnect_credential), name="disconnect_credential"),
    path("<slug:platform>/", views.page(views.start), name="start"),
    path("<slug:platform>/callback/", views.callback, name="callback"),
]
