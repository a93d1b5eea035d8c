"""The life of a campaign: draft, running, paused, ended, archived; and which version whom belongs to."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction

from crm_plugin import activity, automations, clock, contacts, pipeline
from crm_plugin.errors import InvalidInput, NotFound
from crm_plugin.models import Attribute, Campaign, CampaignVersion, Enrollment, Message
from crm_plugin.shop import Fact, FactKind
from tests.fake_shop import FakeShop
from tests.stories import CONTENT, consenting, definition, on, open_shop, running, send, wait
from tests.together import together

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann(fake_shop: FakeShop):
    """A customer who agreed to mail."""
    customer = fake_shop.add_customer(email="ann@example.com")
    consenting(customer.customer_id)
    return customer


def draft(**more):
    return automations.create_campaign(name="Test", definition=definition(on("liked")), **more)


def sign_up(customer, key="s"):
    activity.record(Fact(kind=FactKind.SIGNED_UP, source_key=key, customer_id=customer.customer_id))
    pipeline.pump()


@pytest.mark.feature(59)
def test_creating_is_not_running(fake_shop):
    campaign = draft()

    assert (campaign.state, campaign.version, campaign.running_since) == ("draft", None, None)
    assert CampaignVersion.objects.count() == 0


@pytest.mark.parametrize("name", ["", "   ", "n" * 121])
def test_a_name_has_one_to_120_characters(name):
    with pytest.raises(InvalidInput) as refused:
        automations.create_campaign(name=name, definition=definition())

    assert refused.value.field == "name"


def test_a_campaign_ends_after_it_starts():
    now = clock.now()

    with pytest.raises(InvalidInput):
        draft(starts_at=now, ends_at=now)

    assert Campaign.objects.count() == 0


@pytest.mark.parametrize("missing", ["sender_name", "sender_email", "postal_address"])
def test_advertising_needs_a_sender_and_a_postal_address(missing):
    open_shop(**{missing: ""})
    campaign = draft()

    with pytest.raises(InvalidInput) as refused:
        automations.publish(campaign.pk)

    assert (refused.value.field.replace("_", "").lower(), refused.value.code) == (missing.replace("_", ""), "REQUIRED")
    assert Campaign.objects.get().state == "draft"


def test_what_is_no_advertisement_is_published_without_a_postal_address():
    open_shop(postal_address="")
    steps = [send(message_class="transactional")]
    campaign = automations.create_campaign(name="Test", definition=definition(on("paid"), steps))

    assert automations.publish(campaign.pk).state == "running"


def test_a_new_version_is_made_only_when_the_draft_changed():
    campaign = running(on("liked"))
    same = automations.publish(campaign.pk)
    automations.update_campaign(campaign.pk, name="Renamed")
    renamed = automations.publish(campaign.pk)
    automations.update_campaign(campaign.pk, definition=definition(on("liked"), [wait(), send()]))
    before_publishing = Campaign.objects.get().version
    changed = automations.publish(campaign.pk)

    assert same.version == renamed.version == before_publishing == campaign.version
    assert (campaign.version.number, changed.version.number) == (1, 2)


def test_a_published_version_cannot_be_changed(fake_shop):
    version = running(on("liked")).version
    version.definition = {}

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        version.save()


def test_republishing_a_running_campaign_does_not_move_when_it_began():
    campaign = running(on("liked"))

    again = automations.publish(campaign.pk)

    assert again.running_since == campaign.running_since


def test_people_in_flight_stay_on_their_version(fake_shop, ann, mailoutbox):
    campaign = running(on("signed_up"), [wait(seconds=60), send()])
    sign_up(ann)
    new_content = {"en": CONTENT | {"subject": "The new version"}}
    steps = [wait(seconds=60), send() | {"template": new_content}]
    automations.update_campaign(campaign.pk, definition=definition(on("signed_up"), steps))
    automations.publish(campaign.pk)
    ben = fake_shop.add_customer(email="ben@example.com")
    consenting(ben.customer_id)
    sign_up(ben, "s2")

    with clock.travel(by=timedelta(seconds=61)):
        pipeline.pump()
    versions = Enrollment.objects.values_list("contact__email", "version__number")
    templates = Message.objects.values_list("contact__email", "template__source__en__subject")

    assert dict(versions) == {"ann@example.com": 1, "ben@example.com": 2}
    assert dict(templates) == {"ann@example.com": CONTENT["subject"], "ben@example.com": "The new version"}


def test_publishing_says_how_many_are_in_flight(fake_shop, ann):
    campaign, other = running(on("signed_up"), [wait(), send()]), draft()
    sign_up(ann)

    assert automations.in_flight([campaign.pk, other.pk]) == {campaign.pk: 1}


def test_nobody_comes_in_while_paused_nor_afterwards_for_what_happened_meanwhile(fake_shop, ann):
    campaign = running(on("signed_up"))
    automations.pause(campaign.pk)
    sign_up(ann)
    activity.record(
        Fact(kind=FactKind.SIGNED_UP, source_key="late", customer_id=ann.customer_id, occurred_at=clock.now())
    )
    automations.publish(campaign.pk)
    pipeline.pump()

    assert Enrollment.objects.count() == 0


@pytest.mark.parametrize("state", ["draft", "paused", "ended", "archived"])
def test_only_a_running_campaign_can_be_paused(state):
    campaign = running(on("liked"))
    Campaign.objects.update(state=state)

    with pytest.raises(InvalidInput) as refused:
        automations.pause(campaign.pk)

    assert refused.value.code == "NOT_RUNNING"


def test_a_draft_is_deleted_and_what_ever_ran_is_archived():
    never_ran, ran = draft(), running(on("liked"))
    automations.pause(ran.pk)

    automations.delete_campaign(never_ran.pk)
    archived = automations.delete_campaign(ran.pk)

    assert list(Campaign.objects.values_list("pk", "state")) == [(ran.pk, "archived")]
    assert archived.state == "archived"


def test_a_running_campaign_is_not_deleted():
    campaign = running(on("liked"))

    with pytest.raises(InvalidInput) as refused:
        automations.delete_campaign(campaign.pk)

    assert refused.value.code == "IS_RUNNING"
    assert Campaign.objects.get().state == "running"


@pytest.mark.parametrize("change", [automations.publish, lambda pk: automations.update_campaign(pk, name="Back")])
def test_an_archived_campaign_does_not_come_back(change):
    campaign = running(on("liked"))
    automations.pause(campaign.pk)
    automations.delete_campaign(campaign.pk)

    with pytest.raises(InvalidInput) as refused:
        change(campaign.pk)

    assert refused.value.code == "IS_ARCHIVED"


@pytest.mark.parametrize("change", [automations.publish, automations.pause, automations.delete_campaign])
def test_a_campaign_that_does_not_exist_is_not_found(change):
    with pytest.raises(NotFound):
        change(404)


def test_a_wrong_draft_changes_nothing():
    campaign = running(on("liked"))

    with pytest.raises(InvalidInput):
        automations.update_campaign(campaign.pk, name="New", definition={"steps": []})

    stored = Campaign.objects.get()
    assert (stored.name, stored.draft) == ("Test", campaign.draft)


def test_the_period_can_be_opened_again_and_bounds_are_left_alone_unless_given():
    end = clock.now() + timedelta(days=1)
    campaign = draft(ends_at=end)

    kept = automations.update_campaign(campaign.pk, name="New")
    opened = automations.update_campaign(campaign.pk, ends_at=None)

    assert (kept.ends_at, opened.ends_at) == (end, None)


def test_a_campaign_whose_period_is_over_ends_and_runs_again_only_with_a_new_end():
    campaign = running(on("liked"), ends_at=clock.now() + timedelta(hours=1))
    with clock.travel(by=timedelta(hours=2)):
        ended = automations.end_campaigns()
        with pytest.raises(InvalidInput, match="period is over"):
            automations.publish(campaign.pk)
        state = Campaign.objects.get().state
        automations.update_campaign(campaign.pk, ends_at=clock.now() + timedelta(hours=1))
        again = automations.publish(campaign.pk)

    assert (ended, state, again.state) == (1, "ended", "running")
    assert again.version == campaign.version


def attribute_named(name, body="{{ contact.attributes.%s }} {{ unsubscribe_url }}"):
    return send() | {"template": {"en": CONTENT | {"text": body % name}}}


def test_a_template_names_only_attributes_that_are_declared():
    contacts.declare_attribute("points", "number")

    with pytest.raises(InvalidInput) as refused:
        automations.create_campaign(name="Test", definition=definition(steps=[attribute_named("pionts")]))
    automations.create_campaign(name="Test", definition=definition(steps=[attribute_named("points")]))

    assert (refused.value.field, refused.value.code) == ("definition.steps.0.template.en.text", "UNKNOWN_VARIABLE")
    assert "contact.attributes.pionts" in refused.value.message
    assert Campaign.objects.count() == 1


@pytest.mark.parametrize(
    "body",
    [
        "{%% if contact.attributes['%s'] %%}a{%% endif %%}{{ unsubscribe_url }}",
        "{%% for one in contact.attributes.%s %%}{{ one }}{%% endfor %%}{{ unsubscribe_url }}",
    ],
)
def test_an_attribute_is_found_wherever_a_template_names_it(body):
    with pytest.raises(InvalidInput, match=r"contact\.attributes\.pionts"):
        automations.create_campaign(name="Test", definition=definition(steps=[attribute_named("pionts", body)]))


def test_fields_of_the_event_are_the_merchants_own():
    step = send() | {"template": {"en": CONTENT | {"text": "{{ event.anything }} {{ unsubscribe_url }}"}}}

    assert automations.create_campaign(name="Test", definition=definition(on("custom"), [step])).pk


@pytest.mark.parametrize("kind", [None, "text", "number"])
def test_a_date_trigger_goes_by_a_declared_date(kind):
    if kind:
        contacts.declare_attribute("wedding", kind)

    with pytest.raises(InvalidInput) as refused:
        automations.create_campaign(name="Test", definition=definition(a_day("wedding")))

    assert refused.value.field == "definition.trigger.attribute"
    assert not Campaign.objects.exists()


@pytest.mark.parametrize("attribute", ["wedding", "joined_at", "first_order_at", "last_order_at"])
def test_a_date_trigger_goes_by_a_date_of_the_contact_too(attribute):
    contacts.declare_attribute("wedding", "date")

    assert automations.create_campaign(name="Test", definition=definition(a_day(attribute))).state == "draft"


def a_day(attribute):
    return {"type": "date", "attribute": attribute, "at": "10:00"}


def test_steps_that_change_what_is_not_there_are_refused_by_their_place():
    steps = [send(), {"type": "set_attribute", "id": "s", "name": "nothing", "value": 1}]

    with pytest.raises(InvalidInput) as refused:
        automations.create_campaign(name="Test", definition=definition(on("liked"), steps))

    assert refused.value.field == "definition.steps.1.name"


def test_what_was_fine_when_it_was_saved_is_asked_again_when_it_is_published():
    open_shop()
    contacts.declare_attribute("points", "number")
    campaign = automations.create_campaign(name="Test", definition=definition(steps=[attribute_named("points")]))
    Attribute.objects.all().delete()

    with pytest.raises(InvalidInput) as refused:
        automations.publish(campaign.pk)

    assert refused.value.code == "UNKNOWN_VARIABLE"
    assert Campaign.objects.get().state == "draft"


def test_a_recipe_that_goes_by_a_birthday_declares_it():
    campaign = automations.create_from_recipe("birthday", name="Birthdays")

    named = campaign.draft["trigger"]["attribute"]
    assert Attribute.objects.get(name=named).kind == "date"


@pytest.mark.django_db(transaction=True)
def test_two_who_publish_at_once_make_one_version(fake_shop):
    campaign = running(on("liked"))
    automations.update_campaign(campaign.pk, definition=definition(on("liked"), [wait(), send()]))

    together(lambda: automations.publish(campaign.pk), lambda: automations.publish(campaign.pk))

    assert sorted(CampaignVersion.objects.values_list("number", flat=True)) == [1, 2]


@pytest.mark.django_db(transaction=True)
def test_people_enter_while_somebody_changes_the_campaign(fake_shop, ann):
    campaign = running(on("signed_up"))
    entered = []

    def enter():
        sign_up(ann)
        entered.append(Enrollment.objects.count())

    with transaction.atomic():
        automations.update_campaign(campaign.pk, name="Renamed")
        together(enter)  # would wait for the end of this transaction if the campaign were locked against it

    assert entered == [1]
