"""Asking to be erased: the answer says nothing, the link goes to the address on file, only its button begins."""

import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jwt
from joserfc.jwk import OKPKey

from tests.support.endpoints import Endpoints
from tests.support.lethe import in_a_loop
from tests.support.website import Answer, Website, website
from workers.erasure.desk import Opening, RequestDesk
from workers.erasure.identities import Identities
from workers.vault.subjects import SubjectVault

_ACCOUNTS = Ed25519PrivateKey.generate()
_STRANGER = Ed25519PrivateKey.generate()
_PUBLIC_PEM = _ACCOUNTS.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)


@pytest.fixture(scope="module")
def site(stack: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Website]:
    """The pages of a shop whose account page signs tokens."""
    folder: Path = tmp_path_factory.mktemp("site")
    (folder / "accounts.pem").write_bytes(_PUBLIC_PEM)
    with website(stack, folder, account_key_file=folder / "accounts.pem") as running:
        yield running


def _ask(site: Website, email: str, language: str = "en", **headers: str) -> Answer:
    return site.post(f"/{language}/erasure", {"email": email}, **headers)


def _link(site: Website, email: str) -> str:
    """Subscribed, asked: the path in the mail."""
    site.subscribe(email)
    assert _ask(site, email).status == 200
    return site.letters(email, "request_identity")[-1].path


def _requests(site: Website, email: str) -> Sequence[asyncpg.Record]:
    return site.rows(
        "select * from requests join request_identities using (request_id) "
        "where identity_hash = $1 order by received_at",
        site._hash("email", email),
    )


def _count(site: Website) -> int:
    count: int = site.rows("select count(*) as n from requests")[0]["n"]
    return count


def test_the_button_behind_the_link_begins_the_erasure(site: Website) -> None:
    link = _link(site, "begins@example.com")
    (asked,) = _requests(site, "begins@example.com")
    assert (asked["state"], asked["channel"], asked["verified_by"]) == ("identity_needed", "web", None)
    assert site.get(link).status == 200
    answer = site.post(link)
    assert (answer.status, "We have begun" in answer.text) == (200, True)
    (begun,) = _requests(site, "begins@example.com")
    assert (begun["state"], begun["verified_by"]) == ("in_progress", "link to the address on file")


def test_looking_at_the_page_changes_nothing(site: Website) -> None:
    link = _link(site, "looked@example.com")
    before = site.everything()
    for method in ("GET", "HEAD", "GET"):
        assert site.send(method, link, None, {}).status == 200
    assert site.everything() == before


def test_a_link_works_once(site: Website) -> None:
    link = _link(site, "once@example.com")
    assert site.post(link).status == 200
    for _ in range(2):
        assert site.post(link).status == 410
        assert "This link has been used" in site.get(link).text
    moves = "select move from request_events where request_id = $1 order by request_event_id"
    request_id = _requests(site, "once@example.com")[0]["request_id"]
    assert [row["move"] for row in site.rows(moves, request_id)] == ["open", "verify"]


def test_a_used_link_proves_nothing_more_whatever_became_of_the_request(site: Website) -> None:
    link = _link(site, "used@example.com")
    site.post(link)
    request_id = _requests(site, "used@example.com")[0]["request_id"]
    site.rows("update requests set state = 'identity_needed' where request_id = $1 returning 1", request_id)
    assert site.post(link).status == 410
    assert _requests(site, "used@example.com")[0]["state"] == "identity_needed"


def test_an_expired_link_changes_nothing(site: Website) -> None:
    link = _link(site, "expired@example.com")
    request_id = _requests(site, "expired@example.com")[0]["request_id"]
    site.rows("update request_tokens set expires_at = now() where request_id = $1 returning 1", request_id)
    for answer in (site.get(link), site.post(link)):
        assert (answer.status, "This link has expired" in answer.text) == (410, True)
    assert _requests(site, "expired@example.com")[0]["state"] == "identity_needed"


def test_a_changed_link_is_unknown(site: Website) -> None:
    link = _link(site, "forged@example.com")
    for forged in (link[:-1], link + "A", "/erasure/x", f"/confirm/{link[9:]}", f"/preferences/{link[9:]}"):
        assert site.get(forged).status == 404
        assert site.post(forged).status == 404
    assert _requests(site, "forged@example.com")[0]["state"] == "identity_needed"


def test_everybody_gets_the_same_answer(site: Website) -> None:
    site.subscribe("known@example.com")
    begun = _link(site, "begun@example.com")
    site.post(begun)
    emails = ("nobody@example.com", "begun@example.com", *["known@example.com"] * 5)
    for language in ("en", "fr"):
        answers = {(one.status, one.text) for one in (_ask(site, email, language) for email in emails)}
        assert [status for status, _ in answers] == [200]
        assert not any(email in text for _, text in answers for email in emails)


def test_an_unknown_address_opens_nothing_and_gets_no_mail(site: Website) -> None:
    before = _count(site), site.rows("select count(*) as n from mails")[0]["n"]
    assert _ask(site, "stranger@example.com").status == 200
    assert (_count(site), site.rows("select count(*) as n from mails")[0]["n"]) == before


def test_the_link_goes_to_the_address_on_file_alone(site: Website) -> None:
    site.subscribe("on-file@example.com")
    mails = "select count(*) as n from mails where template = 'request_identity'"
    before = site.rows(mails)[0]["n"]
    answer = _ask(site, " On-File@EXAMPLE.com ", "fr")
    (letter,) = site.letters("on-file@example.com", "request_identity")
    assert letter.language == "fr"
    assert letter.values["hours"] == "48"
    assert letter.path.rpartition("/")[2] not in answer.text
    assert site.rows(mails)[0]["n"] == before + 1


def test_asking_again_joins_and_sends_a_new_link(site: Website) -> None:
    first = _link(site, "again@example.com")
    _ask(site, "again@example.com")
    second = site.letters("again@example.com", "request_identity")[-1].path
    assert first != second
    assert site.post(second).status == 200
    leader, follower = _requests(site, "again@example.com")
    assert (leader["state"], leader["joined"], follower["joined"]) == ("in_progress", None, leader["request_id"])
    assert site.get(first).status == site.post(first).status == 410


def test_no_new_link_once_it_has_begun(site: Website) -> None:
    site.post(_link(site, "working@example.com"))
    _ask(site, "working@example.com")
    assert len(site.letters("working@example.com", "request_identity")) == 1


def test_an_address_gets_few_links_a_day(site: Website) -> None:
    _link(site, "often@example.com")
    for _ in range(4):
        _ask(site, "often@example.com")
    assert len(site.letters("often@example.com", "request_identity")) == len(_requests(site, "often@example.com")) == 3


def test_a_link_to_one_mailbox_does_not_prove_what_staff_put_in_with_it(site: Website) -> None:
    """A request for two addresses, opened by staff: whoever owns one of them cannot have the other's data erased."""
    site.subscribe("one-of-two@example.com")
    both = Identities(("other-of-two@example.com", "one-of-two@example.com"))
    in_a_loop(_open_by_staff(site, both))
    _ask(site, "one-of-two@example.com")
    assert site.letters("one-of-two@example.com", "request_identity") == []
    assert {row["state"] for row in _requests(site, "one-of-two@example.com")} == {"identity_needed"}


async def _open_by_staff(site: Website, known_by: Identities) -> None:
    desk = RequestDesk(SubjectVault(site.ring), site.ring, site.settings)
    connection = await asyncpg.connect(site.settings.database_dsn.get_secret_value())
    try:
        async with connection.transaction():
            request_id = uuid.uuid4()
            key = await desk.key(connection, request_id)
            opening = Opening(request_id, "staff", "en", known_by, key, None)
            await desk.open(connection, [opening], datetime.now(UTC))
    finally:
        await connection.close()


def test_what_is_no_address_is_said(site: Website) -> None:
    answer = _ask(site, "nobody")
    assert (answer.status, "Please enter an e-mail address" in answer.text) == (400, True)


def test_a_machine_is_answered_and_not_heard(site: Website) -> None:
    site.subscribe("machine@example.com")
    heard = _ask(site, "unheard@example.com")
    answer = site.post("/en/erasure", {"email": "machine@example.com", "website": "http://spam.example"})
    assert (answer.status, answer.text) == (heard.status, heard.text)
    assert _requests(site, "machine@example.com") == []


def test_another_site_cannot_ask_in_a_visitors_name(site: Website) -> None:
    site.subscribe("victim@example.com")
    assert _ask(site, "victim@example.com", Sec_Fetch_Site="cross-site").status == 403
    assert _requests(site, "victim@example.com") == []


def _claims(site: Website, **changed: object) -> dict[str, object]:
    """What the account page says; None takes a claim out."""
    now = int(time.time())
    said = {"sub": "C-1", "aud": site.settings.public_url, "iat": now, "exp": now + 300, **changed}
    return {name: value for name, value in said.items() if value is not None}


def _signed(claims: Mapping[str, object], key: Ed25519PrivateKey = _ACCOUNTS) -> str:
    return jwt.encode({"alg": "Ed25519", "typ": "JWT"}, dict(claims), OKPKey.import_key(key), algorithms=["Ed25519"])


def _by_hand(claims: Mapping[str, object], alg: str, secret: bytes | None = None) -> str:
    parts = [json.dumps({"alg": alg}).encode(), json.dumps(claims).encode()]
    head = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
    mac = b"" if secret is None else hmac.digest(secret, head.encode(), hashlib.sha256)
    return f"{head}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def test_the_account_page_s_word_is_enough(site: Website) -> None:
    token = _signed(_claims(site, sub="C-4711", email="Account@example.com"))
    answer = site.post("/fr/erasure", {"account_token": token}, Sec_Fetch_Site="cross-site")
    assert (answer.status, "Nous avons commencé" in answer.text) == (200, True)
    (request,) = _requests(site, "account@example.com")
    assert (request["state"], request["verified_by"]) == ("in_progress", "account token")
    assert (request["channel"], request["language"]) == ("web", "fr")
    reference = uuid.UUID(bytes=SubjectVault(site.ring).reference_hash("C-4711"))
    known = site.rows("select request_id from request_identities where identity_hash = $1", reference)
    assert [row["request_id"] for row in known] == [request["request_id"]]
    assert site.letters("account@example.com") == []


def test_the_account_page_s_word_goes_before_a_link_that_was_not_used(site: Website) -> None:
    link = _link(site, "both-ways@example.com")
    token = _signed(_claims(site, sub="C-4712", email="both-ways@example.com"))
    assert site.post("/erasure", {"account_token": token}).status == 200
    states = {row["verified_by"]: row["state"] for row in _requests(site, "both-ways@example.com")}
    assert states["account token"] == "in_progress"
    assert site.post(link).status == 410


def test_no_other_token_is_believed(site: Website) -> None:
    now, before = int(time.time()), _count(site)
    tokens = {
        "expired": _signed(_claims(site, iat=now - 400, exp=now - 100)),
        "ten minutes old": _signed(_claims(site, iat=now - 660, exp=now + 600)),
        "from the future": _signed(_claims(site, iat=now + 600, exp=now + 900)),
        "for another": _signed(_claims(site, aud="https://other.example")),
        "for nobody": _signed(_claims(site, aud=None)),
        "for ever": _signed(_claims(site, exp=None)),
        "since ever": _signed(_claims(site, iat=None)),
        "of nobody": _signed(_claims(site, sub=None)),
        "of no customer": _signed(_claims(site, sub="C 1; drop")),
        "no address": _signed(_claims(site, email="nobody")),
        "no text": _signed(_claims(site, email=["a@example.com"])),
        "no time": _signed(_claims(site, exp="tomorrow")),
        "of a stranger": _signed(_claims(site), _STRANGER),
        "unsigned": _by_hand(_claims(site), "none"),
        "signed with what is public": _by_hand(_claims(site), "HS256", _PUBLIC_PEM),
        "changed": _signed(_claims(site))[:-8] + "AAAAAAAA",
        "nothing": "x",
        "long": "x." * 3000,
        "binary": "\x00é",
    }
    form = {"email": "nobody@example.com"}
    answers = {name: site.post("/en/erasure", {**form, "account_token": token}) for name, token in tokens.items()}
    assert {name: one.status for name, one in answers.items()} == dict.fromkeys(tokens, 403)
    assert len({one.text for one in answers.values()}) == 1
    assert _count(site) == before


def test_nothing_about_the_person_is_logged(site: Website) -> None:
    for word in ("@example.com", "C-4711", "account_token"):
        assert word not in site.worker.log
