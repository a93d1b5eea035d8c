"""Addresses of the demo shop: Oscar at the root, the CRM at ``crm/``, pictures at ``media/``."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.urls import include, path, re_path
from django.views.static import serve

#: Oscar's own app configuration, which carries its addresses.
shop_app: Any = apps.get_app_config("oscar")

urlpatterns = [
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/", admin.site.urls),
    path("crm/", include("crm_plugin.shops.oscar.urls")),
    re_path(r"^media/(?P<path>.*)$", serve, {"document_root": settings.MEDIA_ROOT}),
    path("", include(shop_app.urls[0])),
]
