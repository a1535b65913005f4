"""The web pages of workers on this machine, asked for without the proxy that the environment may name."""

import urllib.parse
import urllib.request
from collections.abc import Mapping

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get(url: str, timeout_s: float) -> tuple[int, str]:
    """Status and body. Raises urllib.error.HTTPError for a status from 400 on, OSError when nobody answers."""
    with _OPENER.open(url, timeout=timeout_s) as answer:
        return answer.status, answer.read().decode()


def post(url: str, fields: Mapping[str, str], timeout_s: float) -> tuple[int, str]:
    """Send a form, as a browser does; status and body. Raises as `get` does."""
    with _OPENER.open(url, urllib.parse.urlencode(fields).encode(), timeout=timeout_s) as answer:
        return answer.status, answer.read().decode()
