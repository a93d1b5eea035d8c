"""The sentences of an account, in English and Korean."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Code(StrEnum):
    """Each kind of fact that an account can hold."""

    RUNS_SINCE = "runs_since"
    NOT_RUNNING = "not_running"
    NOT_STARTED = "not_started"
    PERIOD_OVER = "period_over"
    ERASED = "erased"
    NOBODY = "nobody"

    ENTERED = "entered"
    WENT_ARM = "went_arm"
    STANDS_AT = "stands_at"
    WAITS_UNTIL = "waits_until"
    WAITS_FOR = "waits_for"
    IS_DUE = "is_due"
    COMPLETED = "completed"
    CONVERTED = "converted"
    EXITED = "exited"

    QUEUED = "queued"
    HELD = "held"
    SENDING = "sending"
    SENT = "sent"
    OPENED = "opened"
    CLICKED = "clicked"
    SKIPPED = "skipped"
    FAILED = "failed"
    UNKNOWN = "unknown"
    COUNTED = "counted"
    DETAIL = "detail"
    WENT_ON = "went_on"
    NOT_SENT_YET = "not_sent_yet"
    CALL = "call"
    COUPON = "coupon"
    NO_CODE = "no_code"

    NEVER_ENTERED = "never_entered"
    NOT_AGAIN = "not_again"
    NOT_AGAIN_BEFORE = "not_again_before"
    NOT_AGAIN_FOR_SUBJECT = "not_again_for_subject"
    UNDER_WAY = "under_way"

    NO_ACTIVITY = "no_activity"
    TOO_OLD = "too_old"
    OTHER_PRODUCT = "other_product"
    OTHER_SUBJECT = "other_subject"
    OTHER_SHOP_CHANNEL = "other_shop_channel"
    OTHER_AMOUNT = "other_amount"
    OTHER_DATA = "other_data"
    NOT_FIRST_ORDER = "not_first_order"
    NOT_CROSSED = "not_crossed"
    SUITS = "suits"
    TIMER = "timer"
    TIMES_COME_LATER = "times_come_later"
    NO_CART_WAITS = "no_cart_waits"

    IN_AUDIENCE = "in_audience"
    NOT_IN_AUDIENCE = "not_in_audience"
    CONDITION_HOLDS = "condition_holds"
    CONDITION_FAILS = "condition_fails"

    NO_SLOT_YET = "no_slot_yet"
    SLOT_DONE = "slot_done"
    SLOT_DROPPED = "slot_dropped"
    NO_DATE = "no_date"
    HAS_DATE = "has_date"
    NO_COUPON = "no_coupon"
    HAS_COUPON = "has_coupon"
    NO_INTEREST = "no_interest"
    HAS_INTEREST = "has_interest"
    WAITS_FOR_NOTHING = "waits_for_nothing"
    WAITS_FOR_STOCK = "waits_for_stock"
    NO_WAVE = "no_wave"
    HAD_WAVE = "had_wave"

    NO_ADDRESS = "no_address"
    NO_CONSENT = "no_consent"
    SUPPRESSED = "suppressed"
    TOPIC_REFUSED = "topic_refused"


SENTENCES: Final = MappingProxyType[Code, tuple[str, str]](
    {
        Code.RUNS_SINCE: ("The campaign runs since {at}.", "캠페인은 {at}부터 실행 중입니다."),
        Code.NOT_RUNNING: ("The campaign does not run: it is {state}.", "캠페인이 실행 중이 아닙니다 ({state})."),
        Code.NOT_STARTED: ("The campaign's period begins on {at}.", "캠페인 기간은 {at}에 시작합니다."),
        Code.PERIOD_OVER: ("The campaign's period ended on {at}.", "캠페인 기간은 {at}에 끝났습니다."),
        Code.ERASED: ("The person was erased on {at}.", "{at}에 개인정보가 삭제된 사람입니다."),
        Code.NOBODY: (
            "It is a visitor without an account or an e-mail address; only known people enter campaigns.",
            "회원도 아니고 이메일도 없는 방문자입니다. 알려진 사람만 캠페인에 들어옵니다.",
        ),
        Code.ENTERED: (
            "Entered on {at} (version {version}) about {about}.",
            "{at}에 들어왔습니다 (버전 {version}, 대상: {about}).",
        ),
        Code.WENT_ARM: ("The split {step} sent them the way {arm}.", "분기 {step}에서 {arm} 쪽으로 갔습니다."),
        Code.STANDS_AT: (
            "Stands at the step {step}, {place} of {steps}.",
            "지금 {step} 단계에 있습니다 ({steps}단계 중 {place}번째).",
        ),
        Code.WAITS_UNTIL: ("Goes on at {at}.", "{at}에 계속합니다."),
        Code.WAITS_FOR: (
            "Waits for {activity}; without it, goes on at {at}.",
            "{activity} 행동을 기다립니다. 없으면 {at}에 계속합니다.",
        ),
        Code.IS_DUE: (
            "Has been due since {at}: the next worker takes it up, unless the campaign is paused.",
            "{at}부터 차례가 되었습니다. 일시 중지된 캠페인이 아니면 다음 작업자가 처리합니다.",
        ),
        Code.COMPLETED: ("Went through all steps; done on {at}.", "모든 단계를 마쳤습니다 ({at})."),
        Code.CONVERTED: ("Reached the goal on {at}: {reason}.", "{at}에 목표를 달성했습니다: {reason}."),
        Code.EXITED: ("Left on {at}: {reason}.", "{at}에 중단되었습니다: {reason}."),
        Code.QUEUED: (
            "The message {step} ({channel}) is in the outbox since {at}.",
            "메시지 {step}({channel})이(가) {at}부터 발송 대기 중입니다.",
        ),
        Code.HELD: (
            "The message {step} ({channel}) is held until {at}: {reason}.",
            "메시지 {step}({channel})은(는) {at}까지 보류됩니다: {reason}.",
        ),
        Code.SENDING: (
            "The message {step} ({channel}) is being handed out.",
            "메시지 {step}({channel})을(를) 지금 보내는 중입니다.",
        ),
        Code.SENT: (
            "The message {step} ({channel}) was sent on {at}.",
            "메시지 {step}({channel})을(를) {at}에 보냈습니다.",
        ),
        Code.OPENED: ("It was opened on {at}.", "{at}에 열었습니다."),
        Code.CLICKED: ("A link in it was clicked on {at}.", "{at}에 링크를 눌렀습니다."),
        Code.SKIPPED: (
            "The message {step} ({channel}) was not sent ({at}): {reason}.",
            "메시지 {step}({channel})은(는) 보내지 않았습니다 ({at}): {reason}.",
        ),
        Code.FAILED: (
            "The message {step} ({channel}) could not be delivered ({at}): {reason}.",
            "메시지 {step}({channel}) 발송에 실패했습니다 ({at}): {reason}.",
        ),
        Code.UNKNOWN: (
            "Nobody knows whether the message {step} ({channel}) arrived ({at}): {reason}. It is not sent again.",
            "메시지 {step}({channel})의 도착 여부를 알 수 없습니다 ({at}): {reason}. 다시 보내지 않습니다.",
        ),
        Code.COUNTED: (
            "Shortly before, on {at}, they got the message {step} of the campaign {campaign}.",
            "그 직전인 {at}에 캠페인 {campaign}의 메시지 {step}을(를) 받았습니다.",
        ),
        Code.DETAIL: ("In its words: {text}", "상세 내용: {text}"),
        Code.WENT_ON: (
            "So it was tried over the step's next channel, {next}.",
            "그래서 이 단계의 다음 채널인 {next}(으)로 보내기로 했습니다.",
        ),
        Code.NOT_SENT_YET: ("No message of this run was made yet.", "아직 만들어진 메시지가 없습니다."),
        Code.CALL: ("The webhook {step} is {state} ({at}).", "웹훅 {step}: {state} ({at})."),
        Code.COUPON: ("Got the coupon {code}.", "쿠폰 {code}을(를) 받았습니다."),
        Code.NO_CODE: (
            "The step {step} could give no coupon: {reason}.",
            "{step} 단계에서 쿠폰을 발급하지 못했습니다: {reason}.",
        ),
        Code.NEVER_ENTERED: ("The person never entered the campaign.", "이 사람은 캠페인에 들어온 적이 없습니다."),
        Code.NOT_AGAIN: (
            "The campaign lets a person in once ever; they entered on {at}.",
            "한 사람이 한 번만 들어올 수 있는 캠페인이며, {at}에 이미 들어왔습니다.",
        ),
        Code.NOT_AGAIN_BEFORE: (
            "The campaign lets a person in again after {days} days: not before {at}.",
            "{days}일이 지나야 다시 들어올 수 있습니다. {at} 이후에 가능합니다.",
        ),
        Code.NOT_AGAIN_FOR_SUBJECT: (
            "The campaign lets a person in once for each order, cart or product; for these they have been in: {about}.",
            "주문·장바구니·상품마다 한 번만 들어올 수 있으며, 이미 들어온 대상은 {about}입니다.",
        ),
        Code.UNDER_WAY: (
            "A run about {about} is under way since {at}; meanwhile no other of its kind begins.",
            "{about}에 대한 진행이 {at}부터 계속되고 있어 그동안 같은 종류가 새로 시작되지 않습니다.",
        ),
        Code.NO_ACTIVITY: (
            "It starts by {activity}; the person has never done that.",
            "{activity} 행동으로 시작하지만, 이 사람은 그런 행동을 한 적이 없습니다.",
        ),
        Code.TOO_OLD: (
            "{activity} on {at} was before the campaign ran ({since}).",
            "{at}의 {activity}은(는) 캠페인이 실행되기({since}) 전의 일입니다.",
        ),
        Code.OTHER_PRODUCT: (
            "{activity} on {at} was about none of the products or categories that the campaign asks for.",
            "{at}의 {activity}은(는) 캠페인이 정한 상품이나 카테고리가 아닙니다.",
        ),
        Code.OTHER_SUBJECT: (
            "{activity} on {at} was about {subject}, which is not what the campaign asks for.",
            "{at}의 {activity}은(는) 대상이 {subject}이며, 캠페인이 정한 대상이 아닙니다.",
        ),
        Code.OTHER_SHOP_CHANNEL: (
            "{activity} on {at} was in the shop channel {shop_channel}, which is none of the campaign's.",
            "{at}의 {activity}은(는) 판매 채널 {shop_channel}의 일이며, 캠페인의 채널이 아닙니다.",
        ),
        Code.OTHER_AMOUNT: (
            "{activity} on {at} came to {amount}, which is not what the campaign asks for.",
            "{at}의 {activity} 금액은 {amount}이며, 캠페인이 정한 금액이 아닙니다.",
        ),
        Code.OTHER_DATA: (
            "{activity} on {at} came with {key} = {value}, which is not what the campaign asks for.",
            "{at}의 {activity}에 담긴 {key} 값은 {value}이며, 캠페인이 정한 값이 아닙니다.",
        ),
        Code.NOT_FIRST_ORDER: (
            "{activity} on {at} was not about the person's first order.",
            "{at}의 {activity}은(는) 첫 주문이 아닙니다.",
        ),
        Code.NOT_CROSSED: (
            "The balance became {balance} on {at}; it did not rise to {mark} from below.",
            "{at}에 잔액이 {balance}이(가) 되었지만, {mark} 미만에서 그 이상으로 오른 것이 아닙니다.",
        ),
        Code.SUITS: (
            "{activity} on {at} is what the campaign asks for.",
            "{at}의 {activity}은(는) 캠페인의 조건에 맞습니다.",
        ),
        Code.TIMER: ("A timer about {about} runs until {at}.", "{about}에 대한 타이머가 {at}까지 돌고 있습니다."),
        Code.TIMES_COME_LATER: (
            "The times that the campaign counts from it are: {times}.",
            "그로부터 세는 시점: {times}.",
        ),
        Code.NO_CART_WAITS: (
            "No cart of the person waits: it was ordered, was changed just now, or is worth too little.",
            "알림을 기다리는 장바구니가 없습니다. 이미 주문했거나, 방금 바뀌었거나, 금액이 모자랍니다.",
        ),
        Code.IN_AUDIENCE: ("The person is in the audience now.", "지금 대상에 포함되어 있습니다."),
        Code.NOT_IN_AUDIENCE: ("The person is not in the audience now.", "지금 대상에 포함되어 있지 않습니다."),
        Code.CONDITION_HOLDS: ("Holds: {condition}", "해당: {condition}"),
        Code.CONDITION_FAILS: ("Does not hold: {condition}", "해당하지 않음: {condition}"),
        Code.NO_SLOT_YET: (
            "No moment of the schedule has come since the campaign runs.",
            "캠페인이 실행된 뒤 예약 시점이 아직 오지 않았습니다.",
        ),
        Code.SLOT_DONE: (
            "At {at} the audience was asked: {count} people entered.",
            "{at}에 대상을 확인하여 {count}명이 들어왔습니다.",
        ),
        Code.SLOT_DROPPED: (
            "The moment {at} was dropped: nobody looked until it was too late.",
            "{at} 시점은 너무 늦게 확인되어 건너뛰었습니다.",
        ),
        Code.NO_DATE: ("Nothing is known of the person's {attribute}.", "{attribute} 값이 없습니다."),
        Code.HAS_DATE: ("The person's {attribute} is {value}.", "{attribute} 값은 {value}입니다."),
        Code.NO_COUPON: (
            "No coupon with a last day was issued to the person.",
            "만료일이 있는 쿠폰을 받은 적이 없습니다.",
        ),
        Code.HAS_COUPON: (
            "The coupon {code} ends on {value}; {used}.",
            "쿠폰 {code}은(는) {value}에 만료됩니다 ({used}).",
        ),
        Code.NO_INTEREST: (
            "The person shows no interest in any product: nothing liked, in the cart or looked at.",
            "관심을 보인 상품이 없습니다 (좋아요·장바구니·조회 없음).",
        ),
        Code.HAS_INTEREST: (
            "The person showed interest in {count} products, last on {at}.",
            "관심을 보인 상품은 {count}개이며, 마지막은 {at}입니다.",
        ),
        Code.WAITS_FOR_NOTHING: (
            "The person does not wait for any product to be in stock again.",
            "재입고 알림을 신청한 상품이 없습니다.",
        ),
        Code.WAITS_FOR_STOCK: (
            "The person waits for {count} products to be in stock again, last asked on {at}; their turn has not come.",
            "재입고 알림을 신청한 상품은 {count}개이며(마지막 신청 {at}), 아직 순서가 되지 않았습니다.",
        ),
        Code.NO_WAVE: (
            "Nothing happened to a product that would start the campaign since it runs.",
            "캠페인이 실행된 뒤 상품에 시작 조건이 되는 변화가 없었습니다.",
        ),
        Code.HAD_WAVE: (
            "On {at} something happened to products: {count} people entered, this one did not meet the rule.",
            "{at}에 상품의 변화로 {count}명이 들어왔지만, 이 사람은 조건에 맞지 않았습니다.",
        ),
        Code.NO_ADDRESS: ("There is no address for {channel}.", "{channel} 주소가 없습니다."),
        Code.NO_CONSENT: (
            "The person did not agree to marketing by {channel}.",
            "{channel} 광고 수신에 동의하지 않았습니다.",
        ),
        Code.SUPPRESSED: ("The address for {channel} is blocked: {why}.", "{channel} 주소가 차단되어 있습니다: {why}."),
        Code.TOPIC_REFUSED: (
            "The person does not want advertisements about {topic}.",
            "{topic} 주제의 광고를 받지 않기로 했습니다.",
        ),
    }
)

#: Why a message was left out or a run ended, by the word that is stored.
REASONS: Final = MappingProxyType[str, tuple[str, str]](
    {
        "no_address": ("there is no address", "주소가 없음"),
        "no_consent": ("the person did not agree to marketing", "광고 수신에 동의하지 않음"),
        "suppressed": ("the address is blocked", "차단된 주소"),
        "frequency_cap": ("the person had as many messages as the frequency cap allows", "발송 빈도 제한"),
        "campaign_cap": ("the person had as many messages as this campaign allows", "캠페인 발송 횟수 제한"),
        "campaign_not_started": ("the campaign's period had not begun", "캠페인 기간 시작 전"),
        "campaign_ended": ("the campaign was over", "캠페인 종료"),
        "campaign_paused": ("the campaign is paused", "캠페인 일시 중지"),
        "campaign_archived": ("the campaign was archived", "캠페인 보관"),
        "stale": ("it was no news any more when its turn came", "차례가 되었을 때 이미 늦음"),
        "price_restored": ("the price rose again", "가격이 다시 오름"),
        "sold_out": ("the product sold out", "품절"),
        "unavailable": ("the product cannot be bought any more", "판매 중지"),
        "bought": ("the person bought it", "구매 완료"),
        "superseded": ("a newer run took its place", "더 새로운 진행으로 대체됨"),
        "exited": ("an exit condition held", "종료 조건 충족"),
        "holdout": ("the person belongs to those who get nothing, for comparison", "비교를 위한 미발송 그룹"),
        "quiet_hours": ("quiet hours", "방해 금지 시간"),
        "render_failed": ("the content could not be made", "내용 생성 실패"),
        "address_refused": ("the provider refused the address", "주소가 거부됨"),
        "rejected": ("the provider refused the message", "발송 업체가 거부함"),
        "retries_exhausted": ("the provider could not be reached in all tries", "재시도 횟수 초과"),
        "retry": ("the provider could not take it; it is tried again", "일시 오류로 다시 시도"),
        "bounced": ("it came back: the address did not take it", "수신 주소에서 반송됨"),
        "undelivered": ("the provider could not deliver it", "발송 업체가 전달하지 못함"),
        "topic_refused": ("the person does not want advertisements about this topic", "이 주제의 광고를 거부함"),
        "night_ban": ("the law forbids advertisements at night", "야간 광고 전송 제한"),
        "key_changed": (
            "advertisements wait: the key by which blocked addresses are recognised was changed (crm status says more)",
            "수신 차단 주소를 식별하는 키가 변경되어 광고 발송을 보류함(crm status 참조)",
        ),
        "throttled": ("as many messages as may go out in that time had gone out", "발송 속도 제한"),
        "too_long": ("the text is longer than the channel takes", "채널이 허용하는 길이를 넘음"),
        "coupon_gone": (
            "the coupon that it would have shown cannot be used any more",
            "안내할 쿠폰을 더 이상 쓸 수 없음",
        ),
        "nothing_to_review": ("there is nothing left to ask a review of", "후기를 요청할 상품이 없음"),
        "no_coupon": ("no coupon could be issued", "쿠폰을 발급하지 못함"),
        "used": ("the person has used the code that they got here", "이 캠페인에서 받은 코드를 이미 사용함"),
        "expired": ("the code that the person got here has expired", "이 캠페인에서 받은 코드가 만료됨"),
        "void": ("the code that the person got here was withdrawn", "이 캠페인에서 받은 코드가 취소됨"),
        "pool_empty": ("no uploaded codes are left", "업로드한 코드가 모두 소진됨"),
        "archived": ("the coupon was put away", "보관된 쿠폰"),
        "series_refused": ("the shop did not make the code", "쇼핑몰에서 코드를 만들지 못함"),
        "no_items": ("the run is about no product that the code could be good for", "코드를 적용할 상품이 없음"),
        "failed": ("the shop could not be asked", "쇼핑몰에 요청하지 못함"),
        "connection_lost": ("the connection broke before the provider's answer", "응답 전에 연결이 끊김"),
        "lease_expired": ("the worker died while handing it out", "발송 중 작업자가 중단됨"),
    }
)
