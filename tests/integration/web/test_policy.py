"""The policy's pages, and the version that consent is recorded against."""

from collections.abc import Iterator

import pytest

from tests.support import policies as files
from tests.support.endpoints import Endpoints
from tests.support.policies import COMING, IN_FORCE, OLD
from tests.support.website import Website, website


@pytest.fixture(scope="module")
def site(stack: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Website]:
    """A shop with three versions."""
    folder = tmp_path_factory.mktemp("site")
    with website(stack, folder, policies_dir=files.write(folder / "policies")) as running:
        yield running


def test_the_version_in_force_is_the_policy(site: Website) -> None:
    page = site.get("/en/policy")
    assert page.status == 200
    assert f"Version {IN_FORCE}, in force since" in page.text
    assert "for three years" in page.text
    assert "<script" not in page.text


def test_what_is_to_come_is_announced(site: Website) -> None:
    page = site.get("/en/policy")
    assert f"Summary of {COMING}." in page.text
    assert "which will apply from" in site.get(f"/en/policy/{COMING}").text
    assert "which no longer applies" in site.get(f"/en/policy/{OLD}").text


def test_a_version_that_is_not_translated_says_its_own_language(site: Website) -> None:
    assert 'class="policy" lang="fr"' in site.get("/fr/policy").text
    assert 'class="policy" lang="en"' in site.get(f"/fr/policy/{COMING}").text


def test_differences_are_shown(site: Website) -> None:
    page = site.get("/en/policy/diff")
    assert "<del>five</del><ins>three</ins>" in page.text
    assert page.text == site.get(f"/en/policy/{IN_FORCE}/diff").text.replace(f"/policy/{IN_FORCE}/diff", "/policy/diff")
    assert "first version" in site.get(f"/en/policy/{OLD}/diff").text


@pytest.mark.parametrize("path", ["/policy/nothing", "/policy/nothing/diff", "/policy/..%2f..", "/policy/%00/diff"])
def test_an_unknown_version_is_no_page(site: Website, path: str) -> None:
    assert site.get(path).status == 404


def test_consent_is_recorded_against_the_version_in_force(site: Website) -> None:
    site.sign_up("version@example.com")
    (row,) = site.rows(
        "select privacy_notice from consents where contact_id = $1", site.contact_id("version@example.com")
    )
    assert row["privacy_notice"] == IN_FORCE
