"""Signatures and digests are Django's, only faster."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.signing import Signer
from django.utils.crypto import salted_hmac

from crm_plugin import ids


@pytest.mark.parametrize("value", ["", "a", "ümläut", "한글", "x" * 5_000])
@pytest.mark.parametrize("secret", ["one", "another"])
def test_they_are_those_of_django_under_every_key(value: str, secret: str, settings: Any) -> None:
    settings.SECRET_KEY = secret

    assert ids.sign("click", value) == Signer(salt="crm.click").sign(value)
    assert ids.digest("suppression", value) == salted_hmac("crm.suppression", value, algorithm="sha256").hexdigest()
    assert ids.unsign("click", ids.sign("click", value)) == value
    assert ids.unsign("open", ids.sign("click", value)) is None
