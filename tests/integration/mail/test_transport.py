"""How the mail server is reached: encrypted and logged in, never in the clear instead; addresses that are not ASCII."""

from pathlib import Path

import pytest

from tests.integration.mail.conftest import OfficeFor
from tests.support.smtp_server import Behaviour, Protection, certificate_for, smtp_server

LOGIN = ("shop", "correct horse")


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    return certificate_for(tmp_path)


def chosen(security: str, certificate: Path, password: str = LOGIN[1]) -> dict[str, object]:
    return {
        "smtp_security": security, "smtp_ca_file": certificate, "smtp_username": LOGIN[0], "smtp_password": password,
        "mail_max_attempts": 1,
    }  # fmt: skip


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_mail_goes_encrypted_and_logged_in(
    opened: OfficeFor, certificate: tuple[Path, Path], security: str
) -> None:
    with smtp_server(protection=Protection(security, *certificate, LOGIN)) as server:
        async with opened(server, **chosen(security, certificate[0])) as office:
            await office.post("ada@example.org")
            await office.send_all()
            assert await office.states() == ["sent"]
    assert server.recipients() == ["ada@example.org"]


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_server_that_cannot_show_who_it_is_gets_nothing(
    opened: OfficeFor, certificate: tuple[Path, Path], tmp_path: Path, security: str
) -> None:
    (tmp_path / "other").mkdir()
    stranger, _ = certificate_for(tmp_path / "other")
    with smtp_server(protection=Protection(security, *certificate, LOGIN)) as server:
        async with opened(server, **chosen(security, stranger)) as office:
            mail_id = await office.post("ada@example.org")
            await office.send_all()
            assert (await office.row(mail_id))["reason"] == "gave_up"
    assert server.taken == []


async def test_a_server_without_encryption_gets_nothing_where_it_was_asked_for(
    opened: OfficeFor, certificate: tuple[Path, Path]
) -> None:
    with smtp_server() as server:
        async with opened(server, **chosen("starttls", certificate[0])) as office:
            await office.post("ada@example.org")
            await office.send_all()
            assert await office.states() == ["failed"]
    assert server.taken == []


async def test_a_wrong_password_loses_no_mail(opened: OfficeFor, certificate: tuple[Path, Path]) -> None:
    """It is a fault of the set-up: the mail waits until it is mended."""
    with smtp_server(protection=Protection("tls", *certificate, LOGIN)) as server:
        async with opened(server, **{**chosen("tls", certificate[0], "wrong"), "mail_max_attempts": 9}) as office:
            mail_id = await office.post("ada@example.org")
            await office.sender.send(await office.claim())
            row = await office.row(mail_id)
    assert (row["state"], row["smtp_code"], row["reason"]) == ("intent", 535, "deferred")
    assert row["sealed"] is not None


async def test_an_address_that_is_not_ascii_arrives_as_it_is(opened: OfficeFor) -> None:
    with smtp_server() as server:
        async with opened(server) as office:
            await office.post("jérôme@xn--bcher-kva.example")
            await office.post("ada@example.org")
            await office.send_all()
    assert sorted(server.recipients()) == ["ada@example.org", "jérôme@xn--bcher-kva.example"]


async def test_a_server_that_takes_ascii_only_refuses_that_mail_and_no_other(opened: OfficeFor) -> None:
    with smtp_server(Behaviour(smtputf8=False)) as server:
        async with opened(server, smtp_connections=1) as office:
            mail_id = await office.post("jérôme@example.org")
            await office.post("ada@example.org")
            await office.send_all()
            assert await office.states() == ["failed", "sent"]
            assert (await office.row(mail_id))["reason"] == "needs_smtputf8"


async def test_a_line_that_begins_with_a_dot_arrives_whole(opened: OfficeFor) -> None:
    with smtp_server() as server:
        async with opened(server) as office:
            question = ".hidden and " + "word " * 14 + ".more"
            await office.post("ada@example.org", template="contact_question", values={"question": question})
            await office.send_all()
    assert b".hidden" in server.taken[0].content
    assert b"..hidden" not in server.taken[0].content


async def test_conversations_share_connections(opened: OfficeFor) -> None:
    with smtp_server() as server:
        async with opened(server, smtp_connections=3) as office:
            for number in range(30):
                await office.post(f"p{number}@example.org")
            await office.send_all()
    assert len(server.taken) == 30
    assert server.connections <= 3
