"""Topics: what a merchant's advertisements are about, and who does not want to hear of which.

A person who refuses a topic keeps the others. Every answer is a line of the consent log (purpose ``topic:`` and the
slug, no channel), which outlives the topic: one that is made again under the same slug is refused by whom it was
refused before.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from babel import Locale, UnknownLocaleError
from django.db import connection, transaction

from crm_plugin import clock
from crm_plugin.contacts.models import ConsentEvent, Contact, RefusedTopic, Topic
from crm_plugin.contacts.touching import touch
from crm_plugin.errors import InvalidInput, NotFound

#: A page of them is to be read by people.
MAX_TOPICS = 50
MAX_NAME = 60
MAX_POSITION = 32_767
#: What lines of the log about a topic begin with.
PURPOSE = "topic:"

_SLUG = re.compile(r"[a-z0-9][-a-z0-9_]{0,39}")

#: Who said no last, of those who said anything about the topic.
_REMEMBER = """
INSERT INTO crm_plugin_refusedtopic (contact_id, topic_id, refused_at)
SELECT contact_id, %(topic)s, occurred_at FROM (
    SELECT DISTINCT ON (contact_id) contact_id, is_granted, occurred_at FROM crm_plugin_consentevent
    WHERE purpose = %(purpose)s ORDER BY contact_id, occurred_at DESC, id DESC
) AS said WHERE NOT is_granted
ON CONFLICT DO NOTHING RETURNING contact_id
"""

#: A lock that answers share and a deletion waits for.
_NAMED = "SELECT * FROM crm_plugin_topic WHERE slug = ANY(%s) ORDER BY position, id FOR KEY SHARE"


def save_topic(slug: str, *, names: Mapping[str, str], position: int | None = None) -> Topic:
    """Make a topic, or change what it is called and where it stands.

    Args:
        slug: lower-case letters, digits, ``-`` and ``_``; by which campaigns name it. It never changes.
        names: what people read, by language code; at least one.
        position: topics are shown by it; None: where it is, a new one at the end.

    Raises:
        InvalidInput: the slug, a language or a name is wrong, or there are 50 topics already.
    """
    if not _SLUG.fullmatch(slug):
        message = "A slug has only lower-case letters, digits, - and _, begins with none of these two; at most 40."
        raise InvalidInput(message, field="slug")
    if position is not None and not 0 <= position <= MAX_POSITION:
        raise InvalidInput(f"A position is between 0 and {MAX_POSITION}.", field="position")
    clean = _clean_names(names)
    with transaction.atomic():
        known = list(Topic.objects.select_for_update().order_by("position", "pk"))
        topic = next((one for one in known if one.slug == slug), None)
        if topic is None:
            return _make(slug, clean, position, known)
        topic.names = clean
        topic.position = topic.position if position is None else position
        topic.save(update_fields=("names", "position"))
    return topic


def _make(slug: str, names: dict[str, str], position: int | None, known: list[Topic]) -> Topic:
    if len(known) >= MAX_TOPICS:
        raise InvalidInput(f"There are {MAX_TOPICS} topics already; nobody reads more.", field="slug", code="LIMIT")
    if position is None:
        position = min(max((one.position for one in known), default=-1) + 1, MAX_POSITION)
    topic, _ = Topic.objects.get_or_create(  # another worker may make the same one now
        slug=slug, defaults={"names": names, "position": position, "created_at": clock.now()}
    )
    with connection.cursor() as cursor:
        cursor.execute(_REMEMBER, {"topic": topic.pk, "purpose": PURPOSE + slug})
        touch([contact_id for (contact_id,) in cursor.fetchall()])
    return topic


def topic_name(topic: Topic, *languages: str) -> str:
    """Return what a topic is called in the first of the languages that it has a name in, else in any, else its slug."""
    for language in languages:
        plain = language.replace("_", "-").lower()
        if name := topic.names.get(plain) or topic.names.get(plain.partition("-")[0]):
            return str(name)
    return str(next(iter(topic.names.values()), topic.slug))


def delete_topic(slug: str) -> bool:
    """Delete a topic; return whether there was one. The log keeps who refused it.

    Whether a campaign is still about it is for the caller to ask: nobody could refuse that campaign's topic any more.
    """
    with transaction.atomic():
        topic = Topic.objects.select_for_update().filter(slug=slug).first()
        if topic is None:
            return False
        touch(list(RefusedTopic.objects.filter(topic=topic).values_list("contact_id", flat=True)))
        topic.delete()
    return True


def refuse_topics(
    contact_id: int, slugs: Collection[str], *, source: str, evidence: Mapping[str, Any] | None = None
) -> tuple[str, ...]:
    """Keep that a person does not want to hear of topics; return those for which that is news.

    Args:
        contact_id: who. An erased person refuses nothing any more.
        slugs: which.
        source: where the person said so (``preference_centre``, ``account`` …).
        evidence: what proves it, plain JSON.

    Raises:
        InvalidInput: there is no such topic; nothing is kept then.
        NotFound: when there is no such contact.
    """
    return _answer(contact_id, slugs, is_granted=False, source=source, evidence=evidence)


def accept_topics(
    contact_id: int, slugs: Collection[str], *, source: str, evidence: Mapping[str, Any] | None = None
) -> tuple[str, ...]:
    """Keep that a person wants to hear of topics again; return those that were refused. See ``refuse_topics``."""
    return _answer(contact_id, slugs, is_granted=True, source=source, evidence=evidence)


def refused_topics_of(contact_ids: Collection[int]) -> Mapping[int, frozenset[str]]:
    """Return, for each contact, the slugs of the topics that they refuse."""
    found: dict[int, frozenset[str]] = {contact_id: frozenset() for contact_id in contact_ids}
    rows = RefusedTopic.objects.filter(contact_id__in=contact_ids).values_list("contact_id", "topic__slug")
    for contact_id, slug in rows:
        found[contact_id] |= {slug}
    return found


def _answer(
    contact_id: int, slugs: Collection[str], *, is_granted: bool, source: str, evidence: Mapping[str, Any] | None
) -> tuple[str, ...]:
    with transaction.atomic():
        # The contact's row is the lock, as for consent: the log tells the order of two answers at once.
        contact = Contact.objects.select_for_update(no_key=True).filter(pk=contact_id).first()
        if contact is None:
            raise NotFound(f"There is no contact {contact_id}.")
        topics = _named(slugs)
        if contact.erased_at:
            return ()
        refused = refused_topics_of([contact_id])[contact_id]
        changed = [topic for topic in topics if (topic.slug in refused) == is_granted]
        _write(contact_id, changed, is_granted=is_granted)
        ConsentEvent.objects.bulk_create(
            ConsentEvent(
                contact_id=contact_id,
                purpose=PURPOSE + topic.slug,
                is_granted=is_granted,
                source=source,
                evidence=dict(evidence or {}),
                occurred_at=clock.now(),
            )
            for topic in changed
        )
        if changed:
            touch([contact_id])
    return tuple(topic.slug for topic in changed)


def _named(slugs: Collection[str]) -> list[Topic]:
    """Return the topics, which nobody deletes until the transaction ends."""
    found = list(Topic.objects.raw(_NAMED, [list(set(slugs))]))
    if missing := sorted(set(slugs) - {topic.slug for topic in found}):
        raise InvalidInput(f"There is no topic {missing[0]!r}.", field="topics", code="NOT_FOUND")
    return found


def _write(contact_id: int, topics: Collection[Topic], *, is_granted: bool) -> None:
    if is_granted:
        RefusedTopic.objects.filter(contact_id=contact_id, topic__in=topics).delete()
        return
    now = clock.now()
    RefusedTopic.objects.bulk_create(
        [RefusedTopic(contact_id=contact_id, topic=topic, refused_at=now) for topic in topics], ignore_conflicts=True
    )


def _clean_names(names: Mapping[str, str]) -> dict[str, str]:
    clean = {_language(code): name.strip() for code, name in names.items()}
    if not clean:
        raise InvalidInput("A topic has a name in at least one language.", field="names", code="REQUIRED")
    for name in clean.values():
        if not 0 < len(name) <= MAX_NAME or not name.isprintable():
            raise InvalidInput(f"A name is one line of 1 to {MAX_NAME} printable characters.", field="names")
    return clean


def _language(code: str) -> str:
    plain = code.strip().replace("_", "-").lower()
    try:
        Locale.parse(plain, sep="-")
    except (UnknownLocaleError, ValueError):
        raise InvalidInput(f"{code!r} is no language code such as en or pt-br.", field="names") from None
    return plain
