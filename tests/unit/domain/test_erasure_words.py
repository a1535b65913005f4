"""Which mails plainly ask for erasure, and which a person must read."""

import pytest

from workers.domain import erasure_words


@pytest.mark.parametrize(
    ("subject", "written"),
    [
        ("Erasure request", ""),
        ("GDPR erasure request (Article 17 GDPR)", "Dear Sir or Madam,\nplease see the subject.\nAda Example"),
        ("My data", "Hello,\n\nplease delete all my personal data.\n\nThanks\nAda"),
        ("", "I hereby request the erasure of my personal\ndata under Article 17 GDPR."),
        ("Hello", "Please erase all data you hold about me.\n\n-- \nAda, only on Mondays. Questions?"),
        ("Re: The news", "Please delete my data.\n\nOn Wed, 25 Nov 2026, Shop wrote:\n> Do you not like it?"),
        ("Request", "I exercise my right to be forgotten."),
        ("Demande d\N{RIGHT SINGLE QUOTATION MARK}effacement", ""),
        ("RGPD", "Bonjour,\nje vous prie de supprimer toutes mes données personnelles.\nMerci"),
        ("Données", "Je demande l'effacement de mes données (article 17 du RGPD)."),
        ("", "Veuillez effacer les données me concernant."),
        ("", "J\N{RIGHT SINGLE QUOTATION MARK}exerce mon droit à l\N{RIGHT SINGLE QUOTATION MARK}oubli."),
    ],
)
def test_plain_words(subject: str, written: str) -> None:
    assert erasure_words.asks(subject, written)


@pytest.mark.parametrize(
    ("subject", "written"),
    [
        ("", ""),
        ("Where is my lamp", "It should be here by now."),
        ("Erasure request", "How does this work?"),
        ("", "Please do not delete my data."),
        ("", "Don\N{RIGHT SINGLE QUOTATION MARK}t delete my data."),
        ("", "If the lamp is late, delete my data."),
        ("", "Please delete my data, but leave the open order."),
        ("", "Please delete my data from the newsletter."),
        ("", "Send me a copy and then delete my data."),
        ("", "I asked you to delete my data."),
        ("", "Someone else wants you to delete my data."),
        ("", "Delete my account."),
        ("", "I read about the right to erasure."),
        ("Re: Please confirm: erase what Shop holds about you", ""),
        ("Re: Erasure request", "Thank you for your answer."),
        ("Fwd: Delete my data", ""),
        ("", "Thanks.\n\n> Please delete my data."),
        ("", "Thanks.\n\nOn Wed, 25 Nov 2026, Ada wrote:\nPlease delete my data."),
        ("", "\n".join([*["A line about the lamp."] * 6, "Please delete my data."])),
        ("Delete my data", "A long story. " * 200),
        ("Delete my data", "\N{COMBINING ACUTE ACCENT}" * 1_000_000),
        ("", "Ne supprimez pas mes données."),
        ("", "Comment supprimer mes données"),
        ("", "Supprimez mes données, mais pas ma commande."),
        ("", "J'ai demandé l'effacement de mes données."),
        ("Effacement de mes données", "Est-ce possible ?"),
    ],
)
def test_what_a_person_must_read(subject: str, written: str) -> None:
    assert not erasure_words.asks(subject, written)
