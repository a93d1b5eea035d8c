"""Addresses below the public url of the CRM. ``messaging.tracking`` writes them into mails."""

from __future__ import annotations

from django.urls import path

from crm_plugin.http import tracking, unsubscribe

app_name = "crm"

urlpatterns = [
    path("click/<str:token>/", tracking.click, name="click"),
    path("open/<str:token>.gif", tracking.opened, name="open"),
    path("unsubscribe/<str:token>/", unsubscribe.unsubscribe, name="unsubscribe"),
]
