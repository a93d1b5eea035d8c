"""Every setting that an operator decides, its default and its meaning, in one place.

A setting ``x`` is read from Django's settings as ``CRM_X``, else from the environment variable ``CRM_X``, else it
has the default below. What a merchant decides is in ``merchant.py``.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Annotated, Any, Final, Literal

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.dispatch import receiver
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

#: ``KR=solapi``: a country (ISO 3166), or ``*`` for all others, and who sends there.
PROVIDER_OF_COUNTRY: Final = r"^(\*|[A-Z]{2})=(solapi|twilio|gateway)$"
#: An origin (RFC 6454), and nothing that could end a header that names it.
ORIGIN: Final = r"^https?://([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$"


class Settings(BaseModel):
    """The operator's settings. Times are in seconds unless the name says otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shop: str = Field("", description="Dotted path of the shop adapter; chosen from INSTALLED_APPS when empty.")
    enabled: bool = Field(True, description="Off: record nothing, send nothing, serve nothing (Saleor: plugin switch).")
    public_url: str = Field("", description="Absolute prefix of the public endpoints; the shop's own when empty.")
    dashboard_origins: tuple[Annotated[str, Field(pattern=ORIGIN)], ...] = Field(
        (), description="Origins that may show the hosted pages in a frame, such as the merchant's dashboard."
    )
    secret_key: SecretStr = Field(
        SecretStr(""), description="Signs links, digests blocked and erased addresses; SECRET_KEY when empty."
    )
    celery_queue_name: str | None = Field(None, description="Queue of every CRM task; None: Celery's default queue.")
    email_backend: str | None = Field(None, description="Django e-mail backend of campaigns; None: EMAIL_BACKEND.")
    dkim_selectors: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,63}$")], ...] = Field(
        (), description="DKIM selectors that the sender check asks for, besides common ones."
    )

    sms_providers: tuple[Annotated[str, Field(pattern=PROVIDER_OF_COUNTRY)], ...] = Field(
        (), description="Who sends text messages, by country: `KR=solapi`, `*=twilio`; `gateway` too."
    )
    kakao_provider: Literal["", "solapi", "gateway"] = Field(
        "", description="Who sends Kakao messages: `solapi` or `gateway`."
    )
    kakao_targeting: Literal["I", "M", "N"] = Field(
        "I", description="Solapi, Brand Messages: friends of the channel; M or N once Kakao has allowed it."
    )
    solapi_api_key: str = Field("", description="Solapi's API key.")
    solapi_api_secret: SecretStr = Field(SecretStr(""), description="Solapi's API secret.")
    solapi_url: str = Field("https://api.solapi.com", description="Where Solapi answers.")
    twilio_account_sid: str = Field("", description="Twilio's account SID.")
    twilio_auth_token: SecretStr = Field(SecretStr(""), description="Twilio's auth token; it signs receipts too.")
    twilio_sender: str = Field("", description="Number, name or messaging service (MG…) that Twilio sends from.")
    twilio_url: str = Field("https://api.twilio.com", description="Where Twilio answers.")
    gateway_url: str = Field("", description="A gateway of your own that takes messages as signed JSON.")

    pump_seconds: float = Field(2.0, gt=0, description="Beat: drain, fan out and advance at least this often.")
    deliver_seconds: float = Field(2.0, gt=0, description="Beat: hand out due messages at least this often.")
    price_scan_seconds: float = Field(60.0, gt=0, description="A watched variant's price is read this often.")
    reconcile_seconds: float = Field(300.0, gt=0, description="Beat: look for what no hook told this often.")
    housekeep_seconds: float = Field(60.0, gt=0, description="Beat: expired leases, ended campaigns.")
    nudge_seconds: float = Field(0.2, ge=0, description="At most one nudge to the workers per process in this time.")
    broker_pause_seconds: float = Field(30.0, ge=0, description="After a failed nudge, none for this long.")

    drain_batch: int = Field(5_000, ge=1, le=50_000, description="Inbox rows projected in one transaction.")
    fan_out_batch: int = Field(50_000, ge=1, description="People enrolled by one chunk of a catalogue event.")
    advance_batch: int = Field(2_000, ge=1, description="Enrollments advanced in one transaction.")
    deliver_batch: int = Field(500, ge=1, description="Messages claimed at once by a worker.")
    handout_batch: int = Field(50, ge=1, description="Messages marked `sending` in one commit; the most a kill blurs.")
    price_scan_batch: int = Field(2_000, ge=1, description="Watched variants read at once.")
    reconcile_batch: int = Field(1_000, ge=1, description="Shop rows read at once by reconcile and backfill.")
    loop_seconds: float = Field(20.0, gt=0, description="The longest that one run of a background loop works.")

    audience_seconds: float = Field(
        30.0, gt=0, description="Beat: segments follow the passing of time; builds, imports."
    )
    follow_batch: int = Field(2_000, ge=1, description="Contacts whose segments are looked at in one transaction.")
    segment_build_seconds: float = Field(300.0, gt=0, description="The longest that building one segment may take.")
    preview_seconds: float = Field(10.0, gt=0, description="The longest that counting an audience may take.")
    score_seconds: float = Field(3600.0, gt=0, description="RFM classes and stages are computed anew this often.")
    group_refresh_seconds: float = Field(3600.0, gt=0, description="Categories of a known product are re-read after.")

    collect_origins: tuple[str, ...] = Field(
        (), description="Origins that may report behaviour, besides the shop's own."
    )
    collect_events_per_minute: int = Field(600, ge=1, description="Storefront events taken from one address a minute.")
    proxies: int = Field(0, ge=0, le=10, description="Reverse proxies in front that append to X-Forwarded-For.")
    visitor_days: int = Field(180, ge=1, description="A visitor who never said who they are is forgotten after these.")
    history_days: int = Field(
        400, ge=30, description="What is over (waves, moments, told requests, calls, links) is deleted after these."
    )
    behaviour_days: int = Field(
        760, ge=30, description="What people viewed, searched, opened and clicked is forgotten after these."
    )

    lease_seconds: float = Field(300.0, gt=0, description="A claim older than this belongs to a dead worker.")
    max_attempts: int = Field(6, ge=1, description="Tries at the provider before a retryable failure is final.")
    email_per_minute: int = Field(0, ge=0, description="E-mails handed to the provider in one minute; 0: no limit.")
    sms_per_minute: int = Field(0, ge=0, description="Text messages handed to the provider in one minute; 0: no limit.")
    retry_seconds: float = Field(60.0, gt=0, description="Pause before the second try; doubles with each one.")
    webhook_allow_private: bool = Field(
        False, description="Tests only: webhooks may call http and addresses inside the network."
    )
    vapid_private_key: SecretStr = Field(
        SecretStr(""), description="Web push: the key that signs; `manage.py crm vapid-keys` makes one."
    )
    vapid_subject: str = Field("", description="Web push: whom push services write to, `mailto:` or `https:`.")
    push_hosts: tuple[str, ...] = Field((), description="Hosts of push services besides those of the usual browsers.")
    push_ttl_hours: float = Field(24.0, gt=0, le=672, description="How long a push waits for a device that is off.")
    firebase_credentials: SecretStr = Field(
        SecretStr(""), description="App push: the service account, as a file's path or as JSON."
    )
    firebase_url: str = Field("", description="App push: another address for Firebase's API, such as a relay's.")
    inbox_days: int = Field(180, ge=1, description="Notes in the inbox of a customer are deleted after these.")
    stale_after_hours: float = Field(48.0, gt=0, description="A message due longer than this is skipped as stale.")
    trigger_max_age_hours: float = Field(24.0, gt=0, description="Older activities (backfill) start no campaign.")
    reconcile_overlap_seconds: float = Field(600.0, ge=0, description="Re-read before the watermark: late commits.")


def _load() -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in Settings.model_fields:
        key = f"CRM_{name.upper()}"
        if hasattr(django_settings, key):
            values[name] = getattr(django_settings, key)
        elif key in os.environ:
            raw = os.environ[key]
            is_list = name in {"collect_origins", "dashboard_origins", "dkim_selectors", "push_hosts", "sms_providers"}
            values[name] = tuple(part.strip() for part in raw.split(",") if part.strip()) if is_list else raw
    return values


@lru_cache(maxsize=1)
def settings() -> Settings:
    """Return the operator's settings.

    Raises:
        ImproperlyConfigured: with the name of each wrong setting.
    """
    try:
        return Settings(**_load())
    except ValidationError as error:
        wrong = "; ".join(f"CRM_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())
        raise ImproperlyConfigured(f"crm_plugin settings are wrong. {wrong}") from error


@receiver(setting_changed)
def _forget(*, setting: str, **_kwargs: object) -> None:
    if setting.startswith("CRM_"):
        settings.cache_clear()
