"""The words of the sender's checklist, in English and Korean."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from crm_plugin.messaging.languages import is_korean


class Check(StrEnum):
    """Each point of the checklist, in the order in which it is worked off."""

    DOMAIN = "domain"
    SPF = "spf"
    DKIM = "dkim"
    DMARC = "dmarc"
    ALIGNMENT = "alignment"
    MX = "mx"
    ONE_CLICK = "one_click"
    VISIBLE_LINK = "visible_link"
    POSTAL_ADDRESS = "postal_address"
    COMPLAINT_RATE = "complaint_rate"
    TLS = "tls"


@dataclass(frozen=True, slots=True)
class Words:
    """A sentence in both languages."""

    en: str
    ko: str

    def said(self, language: str) -> str:
        """Return it in the language, else in English."""
        return self.ko if is_korean(language) else self.en


TITLES: Final = MappingProxyType({
    Check.DOMAIN: Words("Sender address", "발신 주소"),
    Check.SPF: Words("SPF: who may send for the domain", "SPF: 도메인의 발송 서버 등록"),
    Check.DKIM: Words("DKIM: mails are signed", "DKIM: 메일 서명"),
    Check.DMARC: Words("DMARC: a policy is published", "DMARC: 정책 게시"),
    Check.ALIGNMENT: Words("The sender address matches what is signed", "발신 주소와 서명 도메인의 일치"),
    Check.MX: Words("The domain takes mail", "도메인의 메일 수신"),
    Check.ONE_CLICK: Words("One-click unsubscribe (RFC 8058)", "원클릭 수신거부 (RFC 8058)"),
    Check.VISIBLE_LINK: Words("A visible unsubscribe link", "본문의 수신거부 링크"),
    Check.POSTAL_ADDRESS: Words("The postal address", "사업장 주소"),
    Check.COMPLAINT_RATE: Words("Complaints in the last 30 days", "최근 30일 스팸 신고율"),
    Check.TLS: Words("Mails travel encrypted (TLS)", "메일 전송 암호화 (TLS)"),
})  # fmt: skip

#: What to do when the point is not in order.
ADVICE: Final = MappingProxyType({
    Check.DOMAIN: Words(
        "Set the sender's e-mail address in the settings, at a domain of your own.",
        "설정에서 보유한 도메인의 발신 이메일 주소를 입력하세요.",
    ),
    Check.SPF: Words(
        "Publish exactly one TXT record that starts with v=spf1 and names your e-mail provider.",
        "v=spf1로 시작하고 이메일 발송사를 포함하는 TXT 레코드를 하나만 게시하세요.",
    ),
    Check.DKIM: Words(
        "Switch DKIM on at your e-mail provider and publish the record that it shows. If it is published under another "
        "selector, ask the operator to name that in CRM_DKIM_SELECTORS.",
        "이메일 발송사에서 DKIM을 켜고 안내된 레코드를 게시하세요. "
        "다른 선택자를 쓴다면 운영자에게 CRM_DKIM_SELECTORS 설정을 요청하세요.",
    ),
    Check.DMARC: Words(
        "Publish one TXT record at _dmarc; p=none is enough to begin with.",
        "_dmarc에 TXT 레코드를 하나 게시하세요. 처음에는 p=none으로 충분합니다.",
    ),
    Check.ALIGNMENT: Words(
        "Send from the domain that your provider signs for; no free mailbox such as gmail.com or naver.com will do.",
        "발송사가 서명하는 도메인의 주소로 발송하세요. gmail.com, naver.com 같은 무료 메일 주소는 사용할 수 없습니다.",
    ),
    Check.MX: Words(
        "Publish an MX record, so that replies and bounces arrive.",
        "회신과 반송 메일을 받을 수 있도록 MX 레코드를 게시하세요.",
    ),
    Check.ONE_CLICK: Words(
        "The public address of the CRM must begin with https: ask the operator to set CRM_PUBLIC_URL.",
        "CRM의 공개 주소가 https로 시작해야 합니다. 운영자에게 CRM_PUBLIC_URL 설정을 요청하세요.",
    ),
    Check.VISIBLE_LINK: Words("", ""),
    Check.POSTAL_ADDRESS: Words(
        "Fill in the postal address in the settings; advertisements must show it.",
        "설정에 사업장 주소를 입력하세요. 광고 메일에 표시해야 합니다.",
    ),
    Check.COMPLAINT_RATE: Words(
        "Gmail and Yahoo want it below 0.10 % and refuse mail from 0.30 %: write to fewer people who did not open "
        "lately, and look at where the addresses come from.",
        "Gmail과 Yahoo는 0.10% 미만을 요구하고 0.30%부터 메일을 거부합니다. "
        "최근에 열지 않은 사람에게는 덜 보내고 주소의 출처를 점검하세요.",
    ),
    Check.TLS: Words(
        "This cannot be seen from here: ask your e-mail provider; all large ones do.",
        "여기서는 확인할 수 없습니다. 이메일 발송사에 문의하세요. 대형 발송사는 모두 지원합니다.",
    ),
})  # fmt: skip

__all__ = ["ADVICE", "TITLES", "Check", "Words"]
