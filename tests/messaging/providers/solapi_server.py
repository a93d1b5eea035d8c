"""Solapi on the loopback: ``POST /messages/v4/send-many/detail`` (developers.solapi.com, "message status codes")."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from tests.messaging.providers.serving import ProviderServer, Reply

KEY, SECRET = "NCSKEY", "solapi-secret-of-the-test"
SENDERS = {"15881234"}
CHANNELS = {"KA01PF"}
TEMPLATES = {"KA01TP"}
WORDS = {
    "1010": "필수 입력 값 미입력",
    "1013": "제목은 문자 타입이 'SMS'일 경우 사용이 불가능합니다.",
    "1014": "제목은 40byte까지 사용 가능합니다.",
    "1026": "중복 수신번호",
    "1029": "EUC-KR 범위 밖의 문자",
    "1030": "잔액 부족",
    "1031": "SMS는 90byte LMS, MMS는 2000byte",
    "1041": "유효한 플러스 친구 값이 아닙니다.",
    "1042": "유효한 템플릿 아이디가 아닙니다.",
    "1062": "발신번호 미등록",
    "2000": "정상 접수(이통사로 접수 예정)",
    "3010": "수신번호 형식 오류",
}
PRICES = {"sms": 18, "lms": 45, "mms": 90, "ata": 13, "cta": 19, "cti": 23, "bms_free": 19}
BYTES = {"SMS": 90, "LMS": 2_000}
_KEYS = re.compile(r"HMAC-SHA256 ApiKey=(\S+), Date=(\S+), salt=(\S+), signature=(\S+)")


class SolapiServer(ProviderServer):
    """Takes messages; ``taken`` holds them as they came, by Solapi's id.

    Attributes:
        poisoned: numbers that make it refuse a request as a whole.
        codes: what it says of messages to a number, instead of looking at it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.taken: dict[str, dict[str, Any]] = {}
        self.poisoned: set[str] = set()
        self.codes: dict[str, str] = {}

    def respond(self, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Answer as the documentation says."""
        if path != "/messages/v4/send-many/detail":
            return _error(404, "ResourceNotFound", "Not found")
        if not _is_signed(headers.get("authorization", "")):
            return _error(403, "SignatureDoesNotMatch", "The signature is wrong.")
        request = json.loads(body)
        messages = request["messages"]
        if any(message.get("to") in self.poisoned for message in messages):
            return _error(400, "ValidationError", '"messages[].to" is not allowed')
        return Reply.json(self._take(messages, is_doubling=bool(request.get("allowDuplicates"))))

    def _take(self, messages: list[dict[str, Any]], *, is_doubling: bool) -> dict[str, Any]:
        failed, taken, seen = [], [], set()
        for message in messages:
            message_id = f"M4V{uuid4().hex}"
            code = self.codes.get(message["to"]) or code_of(message)
            if message["to"] in seen and not is_doubling:
                code = "1026"
            seen.add(message["to"])
            said = {
                "messageId": message_id,
                "statusCode": code,
                "statusMessage": WORDS.get(code, "?"),
                "customFields": message.get("customFields"),
            }
            if code == "2000":
                self.taken[message_id] = message
                taken.append(said)
            else:
                more = {name: message.get(name) for name in ("to", "from", "country")}
                failed.append(said | more | {"type": message.get("type", ""), "accountId": "12925149"})
        return {"failedMessageList": failed, "groupInfo": _group(len(messages), len(failed)), "messageList": taken}

    def report(self, code: str, *, to: str = "", message_id: str = "") -> list[dict[str, Any]]:
        """The webhook's body about a message that was taken: that with the id, else the last one to the number."""
        name = message_id or next(reversed([key for key, one in self.taken.items() if to in ("", one["to"])]))
        message = self.taken[name]
        data = {
            "messageId": name,
            "groupId": "G4V1",
            "type": message.get("type"),
            "to": message["to"],
            "from": message.get("from"),
            "statusCode": code,
            "statusMessage": WORDS.get(code, "?"),
            "dateProcessed": "2026-06-03T01:00:01.000Z",
            "dateReported": "2026-06-03T01:00:03.000Z",
            "dateReceived": "2026-06-03T01:00:02.000Z",
            "networkCode": "45005",
            "customFields": message.get("customFields") or {},
        }
        return [{"eventDataId": uuid4().hex, "data": data, "retryCount": 0}]


def code_of(message: Mapping[str, Any]) -> str:
    """Return what Solapi finds about a message."""
    kind, options = message.get("type"), message.get("kakaoOptions")
    if not re.fullmatch(r"0\d{8,10}" if message.get("country", "82") == "82" else r"\d{6,14}", message["to"]):
        return "3010"
    if options is not None:
        if options["pfId"] not in CHANNELS:
            return "1041"
        return "1042" if kind == "ATA" and options.get("templateId") not in TEMPLATES else "2000"
    if message.get("from") not in SENDERS:
        return "1062"
    if kind == "SMS" and message.get("subject"):
        return "1013"
    return _code_of_words(message, kind or "SMS")


def _code_of_words(message: Mapping[str, Any], kind: str) -> str:
    try:
        text, subject = (message.get(name, "").encode("euc-kr") for name in ("text", "subject"))
    except UnicodeEncodeError:
        return "1029"
    if not text:
        return "1010"
    if len(subject) > 40:
        return "1014"
    return "1031" if len(text) > BYTES[kind] else "2000"


def _is_signed(authorization: str) -> bool:
    found = _KEYS.fullmatch(authorization)
    if not found:
        return False
    key, date, salt, signature = found.groups()
    made = hmac.new(SECRET.encode(), (date + salt).encode(), hashlib.sha256).hexdigest()
    return key == KEY and hmac.compare_digest(made, signature)


def _error(status: int, code: str, words: str) -> Reply:
    return Reply.json({"errorCode": code, "errorMessage": words}, status)


def _group(total: int, failed: int) -> dict[str, Any]:
    cash = {"requested": 0, "replacement": 0, "refund": 0, "sum": 0}
    return {
        "count": {
            "total": total,
            "sentTotal": 0,
            "sentFailed": 0,
            "sentSuccess": 0,
            "sentPending": 0,
            "sentReplacement": 0,
            "refund": 0,
            "registeredFailed": failed,
            "registeredSuccess": total - failed,
        },
        "countForCharge": {"sms": {"82": total - failed}},
        "balance": cash,
        "point": cash,
        "app": {"profit": {}, "appId": None},
        "log": [],
        "status": "SENDING",
        "allowDuplicates": True,
        "isRefunded": False,
        "accountId": "12925149",
        "masterAccountId": None,
        "apiVersion": "4",
        "groupId": f"G4V{uuid4().hex}",
        "price": {"82": PRICES},
        "dateCreated": "2026-06-03T01:00:00.000Z",
        "dateUpdated": "2026-06-03T01:00:00.000Z",
    }
