"""What a person wrote, out of any form of mail; and card numbers struck out of it."""

from email import message_from_bytes

import pytest

from tests.support import mail_samples as samples
from tests.support.mail_samples import sample
from workers.domain import mail_header, mail_redaction, mail_text

CARD = "4111 1111 1111 1111"
FULL_WIDTH = {digit: digit + 0xFEE0 for digit in b"0123456789"}


def text(content: bytes) -> str:
    return mail_text.text(message_from_bytes(content))


def html(body: str) -> bytes:
    return f"Content-Type: text/html; charset=utf-8\r\n\r\n{body}".encode()


def test_plain_text_wins_and_stands_alone() -> None:
    assert text(sample(samples.QUESTION, text="Wo ist meine Lampe?\n\nGruß")) == "Wo ist meine Lampe?\n\nGruß"


def test_html_alone_gives_its_words() -> None:
    made = html("<head><title>x</title><style>p{}</style></head><p>One &amp; two<br>three</p><script>no()</script>")
    assert text(made) == "One & two\nthree"
    assert text(html("<p><br>")) == ""


@pytest.mark.parametrize(
    ("charset", "raw"), [("iso-8859-1", b"Gr\xf6\xdfe"), ("utf-8", b"Gr\xf6\xdfe"), ("klingon", b"Gr\xf6\xdfe")]
)
def test_a_charset_that_is_wrong_or_unknown_is_guessed(charset: str, raw: bytes) -> None:
    assert text(b"Content-Type: text/plain; charset=" + charset.encode() + b"\r\n\r\n" + raw) == "Größe"


def test_nothing_that_a_terminal_obeys_is_left() -> None:
    assert text(b"\r\na\x1b[2Jb\x00c\x07\td\r\n\r\n\r\n\r\ne") == "a[2Jbc\td\n\ne"
    message = message_from_bytes(
        b"Subject: =?utf-8?q?a=0D=0ABcc:_x=1B?=\r\nFrom: =?utf-8?q?=E2=80=AEevil?= <a@x.org>\r\n\r\n"
    )
    assert mail_header.text(message, "Subject") == "a Bcc: x"
    assert mail_header.text(message, "From") == "evil <a@x.org>"


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("Ada <Ada@Example.COM>", "ada@example.com"),
        ("not an address, Ada <ada@example.com>", "ada@example.com"),
        ('"a@b.c" <ada@example.com>', "ada@example.com"),
        ("undisclosed-recipients:;", None),
        ("Ada <ada@@example.com>", None),
        ("", None),
    ],
)
def test_the_address_of_a_header(value: str, address: str | None) -> None:
    assert mail_header.address(message_from_bytes(f"From: {value}\r\n\r\n".encode()), "Reply-To", "From") == address


def test_the_language_is_that_of_its_small_words() -> None:
    assert mail_text.language("Bonjour, où est ma commande ? Merci.") == "fr"
    assert mail_text.language("Hello, where is my order? Thanks.") == "en"
    assert mail_text.language("") == "en"


def test_a_mail_without_a_card_number_is_left_as_it_came() -> None:
    for template in (samples.QUESTION, samples.POSTFIX, samples.FEEDBACK, samples.UNSUBSCRIBE):
        content = sample(template)
        assert mail_redaction.without_cards(content) is content


@pytest.mark.parametrize(
    "written",
    [CARD, "4111-1111-1111-1111", "4111111111111111", "4111111111111111".translate(FULL_WIDTH), "4111 1111\n1111 1111"],
)
def test_a_card_number_is_struck_out_in_any_spelling(written: str) -> None:
    found = mail_redaction.without_cards(sample(samples.QUESTION, text=f"Order 4711, card {written}, thanks."))
    message = message_from_bytes(found)
    assert "struck out" in mail_text.text(message)
    assert not any(one in mail_text.text(message) for one in ("4111", "1111", "1".translate(FULL_WIDTH)))
    assert "thanks" in mail_text.text(message)
    assert mail_header.address(message, "From") == "ada@example.com"
    assert mail_header.text(message, "Message-ID") == "<CAF-1@mail.example.org>"


def test_what_says_that_no_machine_may_answer_stays() -> None:
    made = sample(samples.QUESTION, text=CARD, headers="Auto-Submitted: auto-replied\nPrecedence: bulk\n")
    message = message_from_bytes(mail_redaction.without_cards(made))
    assert (message["Auto-Submitted"], message["Precedence"]) == ("auto-replied", "bulk")


def test_a_mail_that_cannot_be_read_is_looked_through_as_it_is() -> None:
    part = b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n"
    nested = b"".join(part % (n, n) for n in range(5000))
    assert mail_redaction.without_cards(nested) == nested
    found = mail_redaction.without_cards(nested + CARD.encode())
    assert b"1111" not in found[-30:]
