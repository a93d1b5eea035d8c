"""The words of the hosted pages, one catalogue a language.

What stands in braces is filled in: ``{sender}`` the merchant, ``{date}`` today, ``{matter}`` what a channel's
advertisements are called, ``{name}`` a channel or a topic, ``{begins}`` and ``{ends}`` times of day. The names of the
fields of a catalogue are its documentation: every catalogue says the same thing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from crm_plugin.contacts import ChannelKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsubscribing:
    """The unsubscribe page. Its results name sender, matter and date (network act, article 50(7))."""

    title: str
    question: str
    button: str
    everything: str
    instead: str
    done_title: str
    done: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferring:
    """The preference centre. Its results name sender, matter and date (network act, article 50(7)).

    ``agreement`` is what a person agrees to who ticks a box; it is kept in the consent log, so a change of the words
    here is a new version of the consent text.
    """

    title: str
    intro: str
    channels: str
    night: str
    blocked: str
    topics: str
    agreement: str
    save: str
    nothing_title: str
    nothing: str
    saved_title: str
    unchanged_title: str
    unchanged: str
    saved: str
    granted: str
    withdrawn: str
    night_granted: str
    night_withdrawn: str
    topic_accepted: str
    topic_refused: str
    nobody: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """All hosted pages in one language. ``matters`` and ``channels`` are by channel."""

    language: str
    matters: Mapping[str, str]
    all_matters: str
    channels: Mapping[str, str]
    note: str
    unsubscribing: Unsubscribing
    preferring: Preferring


ENGLISH: Final = Wording(
    language="en",
    matters={
        ChannelKind.EMAIL: "advertising e-mails",
        ChannelKind.SMS: "advertising text messages",
        ChannelKind.KAKAO: "advertising messages on KakaoTalk",
        ChannelKind.WEB_PUSH: "advertising notifications in the browser",
        ChannelKind.APP_PUSH: "advertising notifications in the app",
        ChannelKind.INBOX: "advertising messages in the inbox of the shop",
    },
    all_matters="advertising on any channel",
    channels={
        ChannelKind.EMAIL: "E-mail",
        ChannelKind.SMS: "Text messages",
        ChannelKind.KAKAO: "KakaoTalk",
        ChannelKind.WEB_PUSH: "Notifications in the browser",
        ChannelKind.APP_PUSH: "Notifications in the app",
        ChannelKind.INBOX: "Inbox in the shop",
    },
    note="You will still get messages about your orders and your account.",
    unsubscribing=Unsubscribing(
        title="Unsubscribe",
        question="Do you want to stop receiving {matter} from {sender}?",
        button="Unsubscribe",
        everything="Unsubscribe from everything",
        instead="Choose what you want instead",
        done_title="You are unsubscribed",
        done="On {date} we recorded that you no longer agree to {matter} from {sender}. It applies at once.",
    ),
    preferring=Preferring(
        title="Your preferences",
        intro="Choose what {sender} may send you. Nothing changes until you save.",
        channels="How may we send you advertising?",
        night="At night too, from {begins} to {ends}",
        blocked="This address is blocked at present: nothing is sent there, even if you agree.",
        topics="What do you want to hear about?",
        agreement="By ticking a box and saving, you agree that {sender} sends you advertising in that way. You are "
        "free to do so, and you can take it back on this page at any time, free of charge.",
        save="Save",
        nothing_title="No advertising at all",
        nothing="Stops all advertising from {sender} at once, on every channel.",
        saved_title="Your choices are saved",
        unchanged_title="Nothing was changed",
        unchanged="Your choices are what they were before.",
        saved="{sender} recorded this on {date}. It applies at once.",
        granted="{name}: you agree to {matter}.",
        withdrawn="{name}: you no longer agree to {matter}.",
        night_granted="{name}: you agree to {matter} at night too.",
        night_withdrawn="{name}: you no longer agree to {matter} at night.",
        topic_accepted="Topic “{name}”: you want to hear about it.",
        topic_refused="Topic “{name}”: you no longer want to hear about it.",
        nobody="There is nothing to choose here any more.",
    ),
)
KOREAN: Final = Wording(
    language="ko",
    matters={
        ChannelKind.EMAIL: "광고성 이메일",
        ChannelKind.SMS: "광고성 문자 메시지",
        ChannelKind.KAKAO: "광고성 카카오톡 메시지",
        ChannelKind.WEB_PUSH: "광고성 웹 푸시 알림",
        ChannelKind.APP_PUSH: "광고성 앱 푸시 알림",
        ChannelKind.INBOX: "쇼핑몰 메시지함 광고",
    },
    all_matters="모든 광고성 정보",
    channels={
        ChannelKind.EMAIL: "이메일",
        ChannelKind.SMS: "문자 메시지",
        ChannelKind.KAKAO: "카카오톡",
        ChannelKind.WEB_PUSH: "웹 푸시 알림",
        ChannelKind.APP_PUSH: "앱 푸시 알림",
        ChannelKind.INBOX: "쇼핑몰 메시지함",
    },
    note="주문 및 계정 관련 안내 메시지는 계속 발송됩니다.",
    unsubscribing=Unsubscribing(
        title="수신거부",
        question="{sender}의 {matter} 수신을 거부하시겠습니까?",
        button="수신거부",
        everything="모든 광고 수신거부",
        instead="받고 싶은 소식만 선택하기",
        done_title="수신거부가 완료되었습니다",
        done="{date}에 {sender}의 {matter} 수신 동의가 철회되었으며, 즉시 적용됩니다.",
    ),
    preferring=Preferring(
        title="수신 설정",
        intro="{sender}에서 받을 소식을 선택해 주세요. 저장하기 전에는 아무것도 변경되지 않습니다.",
        channels="광고성 정보를 받을 방법",
        night="야간 수신 동의 ({begins}~{ends})",
        blocked="현재 차단된 주소입니다. 동의하셔도 발송되지 않습니다.",
        topics="받고 싶은 주제",
        agreement="항목을 선택하고 저장하면 해당 방법으로 {sender}의 광고성 정보를 받는 데 동의하게 됩니다. 동의는 "
        "선택 사항이며, 이 페이지에서 언제든지 무료로 철회할 수 있습니다.",
        save="저장",
        nothing_title="광고를 받지 않으시려면",
        nothing="모든 수신 방법에서 {sender}의 광고성 정보가 즉시 중단됩니다.",
        saved_title="설정이 저장되었습니다",
        unchanged_title="변경된 내용이 없습니다",
        unchanged="기존 설정이 그대로 유지됩니다.",
        saved="{date}에 {sender}에서 아래와 같이 처리하였으며, 즉시 적용됩니다.",
        granted="{name}: {matter} 수신에 동의하셨습니다.",
        withdrawn="{name}: {matter} 수신 동의를 철회하셨습니다.",
        night_granted="{name}: 야간 {matter} 수신에 동의하셨습니다.",
        night_withdrawn="{name}: 야간 {matter} 수신 동의를 철회하셨습니다.",
        topic_accepted="주제 “{name}”: 받기로 하셨습니다.",
        topic_refused="주제 “{name}”: 받지 않기로 하셨습니다.",
        nobody="더 이상 설정할 내용이 없습니다.",
    ),
)
CATALOGUES: Final = {wording.language: wording for wording in (ENGLISH, KOREAN)}


def wording(*languages: str) -> Wording:
    """Return the words in the first of the languages that there are any in, else in English."""
    for language in languages:
        base = language.lower().replace("_", "-").partition("-")[0]
        if base in CATALOGUES:
            return CATALOGUES[base]
    return ENGLISH
