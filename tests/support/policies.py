"""Policies in a folder: an old version, the one in force, and one to come."""

from pathlib import Path

OLD, IN_FORCE, COMING = "2024-05", "2025-01", "2099-01"

_FRONT = '---\nversion: "{version}"\neffective: {effective}\nmaterial: true\nsummary: {summary}\n---\n'
_TEXTS = {
    (OLD, "en"): "# Policy\n\nWe keep addresses for five years.\n\n## Cards\n\nWe never see cards.\n",
    (OLD, "fr"): "# Politique\n\nNous gardons les adresses cinq ans.\n",
    (IN_FORCE, "en"): "# Policy\n\nWe keep addresses for three years.\n\n## Cards\n\nWe never see cards.\n\n"
    "## Erasure\n\nAsk us, and we erase.\n\n<script>alert(1)</script>\n",
    (IN_FORCE, "fr"): "# Politique\n\nNous gardons les adresses trois ans.\n",
    (COMING, "en"): "# Policy\n\nWe keep no addresses.\n",
}
_DAYS = {OLD: "2024-05-01", IN_FORCE: "2025-01-01", COMING: "2099-01-01"}


def write(folder: Path, **changed: str) -> Path:
    """The folder with every file; `changed` replaces words in the front matter of all of them."""
    folder.mkdir(exist_ok=True)
    for (version, language), text in _TEXTS.items():
        front = _FRONT.format(version=version, effective=_DAYS[version], summary=f"Summary of {version}.")
        for old, new in changed.items():
            front = front.replace(f"{old}:", f"{new}:")
        (folder / f"{version}.{language}.md").write_text(front + text)
    return folder
