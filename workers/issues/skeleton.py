"""What a new issue begins with, in each language."""

from pathlib import Path
from typing import Final

from workers.errors import UsageError
from workers.issues import issue_file

_TEXTS: Final = {
    "en": ("What happened this week", "One line that a mail program shows behind the subject",
           "# Hello\n\nThis week we …\n\n- one\n- two\n\nRead more on [our pages](https://shop.example/).\n"),
    "fr": ("Ce qui s'est passé cette semaine", "Une ligne que la messagerie montre derrière l'objet",
           "# Bonjour\n\nCette semaine, nous avons …\n\n- un\n- deux\n\n"
           "À lire sur [nos pages](https://shop.example/).\n"),
}  # fmt: skip


def write(folder: Path, name: str, purpose: str) -> list[Path]:
    """A file per language; returns them. Raises UsageError where one is there already."""
    files = {language: issue_file.path(folder, name, language) for language in _TEXTS}
    for file in files.values():
        if file.exists():
            raise UsageError(f"{file} is there already: edit it, or give the new issue another name")
    folder.mkdir(parents=True, exist_ok=True)
    for language, file in files.items():
        subject, preheader, body = _TEXTS[language]
        file.write_text(f"---\nsubject: {subject}\npreheader: {preheader}\npurpose: {purpose}\n---\n{body}", "utf-8")
    return list(files.values())
