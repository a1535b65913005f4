"""A certificate as one HTML page that needs nothing else: to read, to print, to attach."""

from functools import cache

import jinja2

from workers.proof.certificate import Certificate
from workers.proof.wording import PACKAGE, words


def html(certificate: Certificate, language: str) -> str:
    """The page, every value escaped; the signed document stands in it, so that it can be verified from the page."""
    return _template().render(words=words(certificate, language), document=certificate.document.decode())


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(PACKAGE, "templates"), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("certificate.html")
