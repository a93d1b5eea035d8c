"""Addresses below the public url of the CRM: `messaging.tracking` writes them into mails, `crm.js` posts to one."""

from __future__ import annotations

from django.urls import path

from crm_plugin.http import collect, export, script, tracking, unsubscribe

app_name = "crm"

urlpatterns = [
    path("collect/", collect.collect, name="collect"),
    path("crm.js", script.script, name="script"),
    path("export/<str:token>.csv", export.export, name="export"),
    path("click/<str:token>/", tracking.click, name="click"),
    path("open/<str:token>.gif", tracking.opened, name="open"),
    path("unsubscribe/<str:token>/", unsubscribe.unsubscribe, name="unsubscribe"),
]
