"""Whether a mail plainly asks for erasure (GDPR 17), in English or French.

What is read as such gets a link and no answer by a person, so the list is short: where there is a question, a
condition, a refusal, a second wish or much else to read, it is left to a person.
"""

import re
import unicodedata

_READ_LINES = 6
_OWN_MAX_CHARACTERS = 1500
_MAX_CHARACTERS = 6000
"""With what it quotes. Folding a row of combining marks takes the square of its length."""
_REPLY = re.compile(r"^(?:re|aw|fw|fwd|tr|ref)\s*:")
_SUBJECTS = re.compile(
    r"(?:gdpr |rgpd )?(?:erasure request|request for erasure|right to erasure|right to be forgotten"
    r"|demande d'effacement|droit a l'effacement|droit a l'oubli)(?: \(?(?:under |au titre de )?.{0,12}"
    r"(?:article|art\.?) 17.{0,12})?"
)
_ENGLISH = (
    r"(?:erase|delete) (?:all (?:of )?)?my (?:personal )?(?:data|information)",
    r"(?:erase|delete) (?:all (?:of )?)?(?:the )?(?:personal )?(?:data|information) (?:that )?you (?:hold|have|store)"
    r" (?:about|on) me",
    r"(?:erasure|deletion) of (?:all (?:of )?)?my (?:personal )?(?:data|information)",
    r"(?:use|exercise|invoke) my right (?:to erasure|to be forgotten)",
)
_FRENCH = (
    r"(?:effacer|effacez|supprimer|supprimez) (?:toutes )?mes (?:donnees|informations personnelles)",
    r"(?:effacer|effacez|supprimer|supprimez) (?:toutes )?les (?:donnees|informations)(?: personnelles)? me concernant",
    r"(?:effacement|suppression) de (?:toutes )?mes (?:donnees|informations personnelles)",
    r"(?:exercer|exerce|invoque) mon droit (?:a l'effacement|a l'oubli)",
)
_WISHES = re.compile("|".join(rf"\b(?:{one})\b" for one in (*_ENGLISH, *_FRENCH)))
_DOUBTS = re.compile(
    r"\b(?:not|never|cannot|\w+n't|dont|if|unless|until|whether|except|only|but|how|why|when|asked|already|before|after"
    r"|newsletter|copy|access|order|parcel|he|she|his|her|their|someone|somebody"
    r"|ne|pas|jamais|si|sauf|seulement|uniquement|mais|comment|pourquoi|quand|j'ai|deja|avant|apres|infolettre|copie"
    r"|acces|commande|colis|il|elle|quelqu'un)\b"
)
_QUOTED_FROM_HERE = re.compile(r"^(?:-- ?$|-{2,} ?\w|_{5,}|(?:on|le) .* (?:wrote|a ecrit) ?:$|(?:from|de) ?: )")


def asks(subject: str, written: str) -> bool:
    """Whether the subject or the first lines ask for it, and nothing there leaves a doubt."""
    if len(written) > _MAX_CHARACTERS:
        return False
    title, lines = _folded(subject), _own_lines(written)
    if _REPLY.match(title):
        title = ""
    beginning = " ".join(lines[:_READ_LINES])
    everything = f"{title} {' '.join(lines)}"
    if "?" in everything or len(everything) > _OWN_MAX_CHARACTERS or _DOUBTS.search(f"{title} {beginning}"):
        return False
    return bool(_SUBJECTS.fullmatch(title) or _WISHES.search(title) or _WISHES.search(beginning))


def _own_lines(written: str) -> list[str]:
    """What the person wrote: no quoted mail, no signature, no empty lines."""
    own = []
    for line in map(_folded, written.split("\n")):
        if _QUOTED_FROM_HERE.match(line):
            break
        if line and not line.startswith(">"):
            own.append(line)
    return own


def _folded(text: str) -> str:
    """Lower case without accents, one kind of apostrophe, single spaces."""
    plain = unicodedata.normalize("NFKD", text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").casefold())
    return " ".join("".join(one for one in plain if not unicodedata.combining(one)).split())
