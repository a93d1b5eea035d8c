"""Addresses below the public url of the CRM: `messaging.tracking` writes them into mails, `crm.js` posts to one."""

from __future__ import annotations

from django.urls import path

from crm_plugin.http import (
    collect,
    confirm,
    export,
    likes,
    preferences,
    push,
    receipt,
    receipts,
    review,
    script,
    stock,
    subscribe,
    tracking,
    unsubscribe,
)

app_name = "crm"

urlpatterns = [
    path("collect/", collect.collect, name="collect"),
    path("crm.js", script.script, name="script"),
    path("crm-sw.js", push.worker, name="worker"),
    path("push/key/", push.key, name="push-key"),
    path("push/subscribe/", push.subscribe, name="push-subscribe"),
    path("push/unsubscribe/", push.unsubscribe, name="push-unsubscribe"),
    path("export/<str:token>.csv", export.export, name="export"),
    path("export/<str:token>.json", export.export, name="export-person"),
    path("click/<str:token>/", tracking.click, name="click"),
    path("open/<str:token>.gif", tracking.opened, name="open"),
    path("likes/", likes.likes, name="likes"),
    path("l/<str:code>/", tracking.short, name="short"),
    path("preferences/<str:token>/", preferences.preferences, name="preferences"),
    path("receipt/<str:token>/", receipt.receipt, name="receipt"),
    path("review/<str:token>/", review.review, name="review"),
    path("receipts/<str:provider>/", receipts.receipts, name="receipts"),
    path("confirm/<str:token>/", confirm.confirm, name="confirm"),
    path("stock/subscribe/", stock.subscribe, name="stock-subscribe"),
    path("stock/confirm/<str:token>/", stock.confirm, name="stock-confirm"),
    path("stock/cancel/<str:token>/", stock.cancel, name="stock-cancel"),
    path("subscribe/", subscribe.subscribe, name="subscribe"),
    path("unsubscribe/<str:token>/", unsubscribe.unsubscribe, name="unsubscribe"),
]
