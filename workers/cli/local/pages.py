"""The web pages of workers on this machine, asked for without the proxy that the environment may name."""

import urllib.request

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get(url: str, timeout_s: float) -> tuple[int, str]:
    """Status and body. Raises urllib.error.HTTPError for a status from 400 on, OSError when nobody answers."""
    with _OPENER.open(url, timeout=timeout_s) as answer:
        return answer.status, answer.read().decode()
