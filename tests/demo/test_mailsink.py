from __future__ import annotations

import smtplib

import pytest
from django.core import mail

from demo.services.mailsink import KEPT_LETTERS, MailSink, Moment


def write(*recipients: str, subject: str = "Hello") -> mail.EmailMultiAlternatives:
    message = mail.EmailMultiAlternatives(subject, "plain words", "shop@example.com", recipients)
    message.attach_alternative("<p>rich words</p>", "text/html")
    return message


def test_letter_is_kept_with_both_bodies(smtp: MailSink) -> None:
    write("ann@example.com", subject="Größe 42").send()

    (letter,) = smtp.letters
    assert letter.recipients == ("ann@example.com",)
    assert (letter.subject, letter.text.strip(), letter.html.strip()) == (
        "Größe 42",
        "plain words",
        "<p>rich words</p>",
    )


def test_refused_recipient_leaves_no_letter(smtp: MailSink) -> None:
    smtp.answer("550 5.1.1 No such user", recipient="gone@example.com", at=Moment.RECIPIENT)

    with pytest.raises(smtplib.SMTPRecipientsRefused):
        write("gone@example.com").send()
    write("ann@example.com").send()

    assert [letter.recipients for letter in smtp.letters] == [("ann@example.com",)]


def test_temporary_error_is_answered_as_often_as_asked(smtp: MailSink) -> None:
    smtp.answer("451 4.3.0 Try later", times=1)

    with pytest.raises(smtplib.SMTPDataError):
        write("ann@example.com").send()
    write("ann@example.com").send()

    assert len(smtp.letters) == 1


@pytest.mark.parametrize(("moment", "kept"), [(Moment.DATA, 0), (Moment.TAKEN, 1)])
def test_connection_is_dropped_before_or_after_the_letter_was_taken(smtp: MailSink, moment: Moment, kept: int) -> None:
    smtp.drop_connection(at=moment)

    with pytest.raises(smtplib.SMTPServerDisconnected):
        write("ann@example.com").send()

    assert len(smtp.letters) == kept


def test_number_of_kept_letters_is_bounded() -> None:
    assert MailSink()._letters.maxlen == KEPT_LETTERS


def test_sink_that_does_not_run_has_no_port() -> None:
    with pytest.raises(RuntimeError, match="with block"):
        _ = MailSink().port
