"""The addresses of ``collect_worker``: the CRM's, and a bare view beside them."""

from __future__ import annotations

import json

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt


@csrf_exempt
def bare(request: HttpRequest) -> HttpResponse:
    """Parse, and say how many."""
    return JsonResponse({"stored": len(json.loads(request.body)["events"])}, status=202)


urlpatterns = [path("bare/", bare), path("crm/", include("crm_plugin.shops.oscar.urls"))]
