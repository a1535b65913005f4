"""What a person writes stands nowhere in the clear: not in the database, not in a log, not in a metric."""

from pathlib import Path

import pytest

from tests.support import mail_samples as samples
from tests.support.endpoints import Endpoints
from tests.support.mail_samples import sample
from tests.support.mailbox import Postbox, postbox, question
from workers.postbox.inbox import Inbox, Sealed

PLANTED = ("planted-author", "planted-words", "planted-subject", "planted-recipient")
BOUNCES = "bounces@shop.example"
CARD = "4111 1111 1111 1111"


def everything(box: Postbox) -> str:
    """Every value of every row, bytes as text as well."""
    found = []
    tables = box.rows("select table_name from information_schema.tables where table_schema = 'public'")
    for (table,) in tables:
        for row in box.rows(f'select * from "{table}"'):
            found += [value.decode("latin-1") if isinstance(value, bytes) else str(value) for value in row.values()]
    return "\n".join(found)


def test_nothing_of_a_mail_is_in_the_clear(stack: Endpoints, tmp_path: Path) -> None:
    with postbox(stack, tmp_path) as (box, worker):
        author = "planted-author@example.com"
        contact_id = box.subscribe(author)
        mails = [
            (question(1, author, text="planted-words"), "privacy@shop.example"),
            (question(2, author, text="planted-words"), "planted-recipient@shop.example"),
            (b"Subject: planted-subject\r\nFrom: planted-author@example.com\r\n\r\nplanted-words\r\n", BOUNCES),
            (sample(samples.POSTFIX, to=author, diagnostic="550 5.1.1 planted-words"), BOUNCES),
            (sample(samples.UNSUBSCRIBE, author=author), box.unsubscribe_address(contact_id)),
        ]  # fmt: skip
        for content, recipient in mails:
            box.deliver(content, recipient, sender=author)
        box.wait_sorted()
        with box.connect() as session:
            session.docmd("MAIL", "FROM:<planted-author@example.com")
            session.docmd("planted-words and more")
            session.docmd("RCPT", "TO:planted-recipient")
        box.rows("alter table mails add constraint broken check (template <> 'contact_question') not valid")
        box.sorted_mail(question(3, author, text="planted-words"), sender=author)
        token = box.unsubscribe_address(contact_id).partition("+")[2].partition("@")[0]
        metrics = worker.get("/metrics")[1]
        assert 'lethe_inbox_mails_total{flow="question",outcome="passed_on"}' in metrics
        for planted in (*PLANTED, token):
            assert planted not in worker.log, planted
            assert planted not in metrics, planted
            assert planted not in everything(box), planted


def opened(box: Postbox, row: object) -> bytes:
    return (
        Inbox(box.ring)
        .unseal(
            Sealed(row["fingerprint"], row["wrapped_key"], row["key_epoch"], row["sealed"])  # type: ignore[index]  # the one row is there
        )
        .content
    )


@pytest.mark.parametrize("where", ["text", "html", "subject"])
def test_card_numbers_are_struck_out_before_anything_is_kept(stack: Endpoints, tmp_path: Path, where: str) -> None:
    mails = {
        "text": question("card", text=f"Please take it from my card {CARD}, thanks."),
        "html": f"From: ada@example.com\r\nContent-Type: text/html\r\n\r\n<p>My card: {CARD}</p>\r\n".encode(),
        "subject": f"From: ada@example.com\r\nSubject: card {CARD}\r\n\r\nSee above.\r\n".encode(),
    }
    with postbox(stack, tmp_path) as (box, _):
        mail = box.sorted_mail(mails[where])
        assert mail["outcome"] == "passed_on"
        assert b"4111" not in opened(box, mail)
        assert "4111" not in box.letters("contact_question")[-1][1]["question"]
        assert "struck out" in box.letters("contact_question")[-1][1]["question"]
        assert box.letters("contact_acknowledged")[-1][0] == "ada@example.com"


def test_what_one_mail_is_sealed_with_opens_no_other(stack: Endpoints, tmp_path: Path) -> None:
    from workers.vault.sealing import Unreadable

    with postbox(stack, tmp_path) as (box, _):
        first, second = box.sorted_mail(question(1)), box.sorted_mail(question(2))
        moved = Sealed(second["fingerprint"], first["wrapped_key"], first["key_epoch"], first["sealed"])
        with pytest.raises(Unreadable):
            Inbox(box.ring).unseal(moved)
