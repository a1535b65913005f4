"""`lethe certificate`: shown, written for people, verified with and without the database."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.support import lethe
from tests.support.certificates import facts, later, partly
from tests.support.endpoints import Endpoints
from workers.cli import app, connections
from workers.cli.local import environment
from workers.proof import signing
from workers.proof.certificate import Certificate
from workers.proof.desk import ProofDesk
from workers.settings import Settings


@pytest.fixture
def settings(stack: Endpoints, prefix: str, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    made = lethe.prepare(stack, prefix, database, tmp_path)
    for name, value in environment.variables(made).items():
        monkeypatch.setenv(name, value)
    return made


@pytest.fixture
def issued(settings: Settings) -> list[Certificate]:
    first = partly()

    async def issue() -> list[Certificate]:
        desk = ProofDesk(signing.load(settings.keyring_dir), settings.shop_name)
        async with connections.database(settings) as connection, connection.transaction():
            return await desk.issue_many(connection, [first, facts(), facts(first.request_id), facts()], later(7))

    return lethe.in_a_loop(issue())


def change(settings: Settings, statement: str) -> None:
    async def run() -> None:
        async with connections.database(settings) as connection:
            await connection.execute(statement)

    lethe.in_a_loop(run())


def certificate(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app.app, ["certificate", *map(str, arguments)])


def test_one_is_found_by_its_number_and_by_its_request_the_latest_first(issued: list[Certificate]) -> None:
    assert certificate("show", "2", "--json").stdout.encode() == issued[1].document + b"\n"
    assert certificate("show", str(issued[0].request_id)[:13], "--json").stdout.encode() == issued[2].document + b"\n"
    assert "Certificate 1 of request" in certificate("show", "1").stdout
    unknown = certificate("show", "99")
    assert unknown.exit_code == 1
    assert "there is no such certificate" in unknown.output


def test_it_is_written_for_people(issued: list[Certificate], tmp_path: Path) -> None:
    page, pdf = tmp_path / "c.html", tmp_path / "c.pdf"
    assert certificate("show", "2", "--html", page, "--pdf", pdf, "--language", "fr").exit_code == 0
    assert "effacement 2" in page.read_text()
    assert pdf.read_bytes().startswith(b"%PDF-")
    nowhere = certificate("show", "2", "--pdf", tmp_path / "none" / "c.pdf")
    assert nowhere.exit_code == 1
    assert "cannot be written" in nowhere.output


def test_a_file_is_verified_with_nothing_but_the_public_key(
    issued: list[Certificate], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public, one, laid_out, all_ = (tmp_path / name for name in ("key.pem", "1.json", "laid_out.json", "all.jsonl"))
    public.write_text(certificate("key").stdout)
    one.write_bytes(issued[1].document)
    laid_out.write_text(json.dumps(json.loads(issued[1].document), indent=2))
    all_.write_bytes(b"\n".join(each.document for each in issued))
    monkeypatch.setenv("LETHE_DATABASE_DSN", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("LETHE_KEYRING_DIR", str(tmp_path / "none"))
    fine = certificate("verify", one, laid_out, all_, "--key", public)
    assert fine.exit_code == 0, fine.output
    assert f"{all_}: 4 certificates looked at" in fine.output
    assert "cannot show that a store told the truth" in " ".join(fine.output.split())
    one.write_bytes(issued[1].document.replace(b"crm", b"erp"))
    altered = certificate("verify", one, "--key", public)
    assert altered.exit_code == 1
    assert "certificate 2: its content is not what its hash says" in altered.output
    all_.write_bytes(b"\n".join(each.document for each in (issued[1], issued[0])))
    assert "certificate 1: stands behind 2" in certificate("verify", all_, "--key", public).output


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("delete from certificates where sequence = 2", "certificate 3: does not follow 1"),
        ("delete from certificates where sequence = 4", "chain: ends at 3, but 4 were issued"),
        ("update certificates set document = replace(document, 'crm', 'erp') where sequence = 3", "certificate 3: its"),
    ],
)
def test_harm_to_the_chain_is_found(settings: Settings, issued: list[Certificate], harm: str, said: str) -> None:
    assert certificate("verify", "--chain").exit_code == 0
    change(settings, harm)
    found = certificate("verify", "--chain")
    assert found.exit_code == 1
    assert said in found.output


def test_what_was_cut_off_with_its_head_is_missed_by_who_kept_it(
    settings: Settings, issued: list[Certificate], tmp_path: Path
) -> None:
    kept = tmp_path / "4.json"
    kept.write_bytes(issued[3].document)
    assert certificate("verify", kept, "--chain").exit_code == 0
    change(settings, "delete from certificates where sequence = 4")
    change(
        settings, "update certificate_head set sequence = 3, hash = (select hash from certificates where sequence = 3)"
    )
    assert certificate("verify", "--chain").exit_code == 0, "nothing in the database shows it"
    found = certificate("verify", kept, "--chain")
    assert found.exit_code == 1
    assert "certificate 4: is in a file, and not in this database's chain" in found.output


def test_nothing_to_verify_is_a_mistake(settings: Settings) -> None:
    nothing = certificate("verify")
    assert nothing.exit_code == 1
    assert "name files, or --chain" in nothing.output
    assert certificate("verify", "--chain").exit_code == 0, "an empty chain is whole"
