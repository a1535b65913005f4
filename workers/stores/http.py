"""A store with an HTTP API: a search per identifier, then an erasure per object found or per identifier.

Each erasure carries an `Idempotency-Key` that stays the same however often it is tried (draft-ietf-httpapi-idempotency-
key-header). 404 and 410 to an erasure mean that it is gone. 408, 425, 429 and 5xx are tried again, after `Retry-After`
where the answer has one.
"""

import asyncio
import contextlib
import json
import re
import ssl
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote
from uuid import UUID

import aiohttp
from yarl import URL

from workers.stores import options as reading
from workers.stores.addresses import Allowed, GuardedResolver
from workers.stores.connector import Left, Misconfigured, Person, Unacceptable, Unavailable, merged
from workers.stores.connectors import Surroundings
from workers.stores.directory import Store
from workers.stores.http_options import HttpOptions, Resource

_PLACE = re.compile(r"\{(email|customer_ref|order_id|shipment_id|id)\}")
_TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_GONE = frozenset({404, 410})
_NOT_ALLOWED = frozenset({401, 403, 407})
_LONGEST_WAIT_S = 60.0


class Answer(NamedTuple):
    """What the store said."""

    status: int
    body: bytes
    next_link: str | None


class Found(NamedTuple):
    """One object of a person, and the identifier value that it was found by."""

    id: str
    identifier: str
    value: str


def connect(store: Store, _surroundings: Surroundings) -> "HttpStore":
    """The connector of this store. Raises Misconfigured."""
    parsed = reading.parse(HttpOptions, store.options)
    base = URL(parsed.base_url if parsed.base_url.endswith("/") else parsed.base_url + "/")
    if base.host is None or base.host.lower() not in {host.lower() for host in parsed.hosts}:
        raise Misconfigured("options.base_url: its host is not among options.hosts")
    if base.scheme == "http" and not (parsed.plain_http or base.host in ("127.0.0.1", "::1", "localhost")):
        raise Misconfigured("options.base_url: use https, or set plain_http where the network itself is trusted")
    return HttpStore(parsed, base)


class HttpStore:
    """Implements `connector.Connector`."""

    def __init__(self, options: HttpOptions, base: URL) -> None:
        self._options = options
        self._base = base
        self._allowed = Allowed(options.networks)
        self._session: aiohttp.ClientSession | None = None
        self._slots = asyncio.Semaphore(options.parallel)

    async def check(self) -> list[str]:
        """Search for somebody who does not exist: it must be found by nobody."""
        nobody = Person(uuid.uuid4(), {name: (f"lethe-check-{uuid.uuid4()}",) for name in _identifiers(self._options)})
        found = await self.find([nobody])
        if found:
            raise Misconfigured("a search for nobody finds something: it ignores the value that it is given")
        return [f"connected to {self._base.host}; a search for nobody finds nothing"]

    async def find(self, people: Sequence[Person]) -> Mapping[UUID, Left]:
        """Search for each."""
        return await self._for_each(people, self._count)

    async def erase(self, people: Sequence[Person]) -> Mapping[UUID, Left]:
        """Search for each, erase what is found."""
        return await self._for_each(people, self._erase)

    async def close(self) -> None:
        """End the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _for_each(
        self, people: Sequence[Person], work: Callable[[Person, Resource], Awaitable[int]]
    ) -> dict[UUID, Left]:  # fmt: skip
        """A few at once; what cannot be done for one ends the task once the others in hand have ended."""

        async def one(person: Person) -> tuple[UUID, Left]:
            async with self._slots:
                try:
                    lefts = [Left({one.what: await work(person, one)}) for one in self._options.resources]
                except Unacceptable as refusal:
                    return person.subject_ref, Left({}, refused=str(refusal))
            return person.subject_ref, merged(lefts)

        answers = await asyncio.gather(*map(one, people), return_exceptions=True)
        if wrong := [answer for answer in answers if isinstance(answer, BaseException)]:
            raise wrong[0]
        done = [answer for answer in answers if not isinstance(answer, BaseException)]
        return {ref: left for ref, left in done if left.refused or any(left.counts.values())}

    async def _count(self, person: Person, resource: Resource) -> int:
        return len(await self._search(person, resource))

    async def _erase(self, person: Person, resource: Resource) -> int:
        found = await self._search(person, resource)
        for one in found:
            await self._erase_one(person, resource, one)
        return len(found)

    async def _erase_one(self, person: Person, resource: Resource, one: Found) -> None:
        erasure = resource.erase
        filled = {one.identifier: one.value, "id": one.id}
        if missing := [name for name in _PLACE.findall(erasure.path) if name not in filled]:
            raise Misconfigured(f"the erasure of {resource.what} needs {missing[0]}, which nothing was found by")
        body = None
        if erasure.body is not None:
            body = {
                name: _fill_text(value, filled) if isinstance(value, str) else value
                for name, value in erasure.body.items()
            }
        # Stable over repetitions, and telling nothing: the reference is made for this task alone.
        key = str(uuid.uuid5(person.subject_ref, f"{erasure.method} {resource.what} {one.id}"))
        answer = await self._ask(erasure.method, self._url(erasure.path, filled), body, {"Idempotency-Key": key})
        if answer.status not in _GONE and not 200 <= answer.status < 300:
            raise Unacceptable(f"the store refuses to erase {resource.what}: HTTP {answer.status}")

    async def _search(self, person: Person, resource: Resource) -> list[Found]:
        """Every object of the person, each once."""
        found: dict[str, Found] = {}
        for identifier in _PLACE.findall(resource.find.path):
            for value in person.values(identifier):
                async for page in self._pages(resource, self._url(resource.find.path, {identifier: value})):
                    for item in page:
                        one = _at(item, resource.find.id)
                        if not isinstance(one, str | int):
                            raise Unavailable(f"an answer to the search for {resource.what} has no {resource.find.id}")
                        found.setdefault(str(one), Found(str(one), identifier, value))
        return list(found.values())

    async def _pages(self, resource: Resource, first: URL) -> AsyncIterator[list[Any]]:
        search, url = resource.find, first
        for number in range(self._options.max_pages):
            paging = search.paging
            if paging and paging.kind == "page":
                url = first.update_query({paging.field: str(paging.first + number)})
            answer = await self._ask("GET", url)
            if answer.status in _GONE and search.not_found_is_empty:
                return
            if answer.status != 200:
                raise Unacceptable(f"the store refuses the search for {resource.what}: HTTP {answer.status}")
            content = _parsed(answer.body, resource.what)
            items = _at(content, search.items) if search.items else content
            if not isinstance(items, list):
                raise Unavailable(f"the answer to the search for {resource.what} holds no list")
            yield items
            if paging is None or (paging.kind == "page" and not items):
                return
            if paging.kind != "page":
                link = answer.next_link if paging.kind == "link" else _at(content, paging.field)
                if not isinstance(link, str) or not link:
                    return
                url = self._same_origin(url.join(URL(link)))
        raise Unavailable(f"the search for {resource.what} has more than {self._options.max_pages} pages")

    def _same_origin(self, url: URL) -> URL:
        """A store that answers with somebody else's address does not get us to go there."""
        if url.origin() != self._base.origin():
            raise Unavailable("the store names a next page that is not on options.base_url")
        return url

    def _url(self, template: str, filled: Mapping[str, str]) -> URL:
        path = _PLACE.sub(lambda place: quote(filled.get(place[1], ""), safe=""), template)
        return self._same_origin(URL(str(self._base) + path.lstrip("/"), encoded=True))

    async def _ask(
        self, method: str, url: URL, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Answer:  # fmt: skip
        """One request, tried again where that can help. Raises Unavailable or Misconfigured."""
        pause_s, why = self._options.retry_initial_s, ""
        for attempt in range(self._options.retries + 1):
            try:
                answer, wait_s = await self._ask_once(method, url, body, headers)
            except (aiohttp.ClientError, OSError, TimeoutError, ssl.SSLError) as error:
                why, wait_s = type(error).__name__, None
            else:
                if answer.status in _NOT_ALLOWED:
                    raise Misconfigured(f"the store refuses the log-in: HTTP {answer.status}")
                if 300 <= answer.status < 400:
                    raise Misconfigured(f"the store answers with a redirect (HTTP {answer.status}): correct base_url")
                if answer.status not in _TRY_AGAIN:
                    return answer
                why = f"HTTP {answer.status}"
            if attempt < self._options.retries:
                await asyncio.sleep(min(wait_s or pause_s, _LONGEST_WAIT_S))
                pause_s *= 2
        raise Unavailable(f"the store did not answer: {why}")

    async def _ask_once(
        self, method: str, url: URL, body: object, headers: Mapping[str, str] | None
    ) -> tuple[Answer, float | None]:  # fmt: skip
        request = self._connected().request(
            method, url, json=body, headers={**_login(self._options), **(headers or {})}, allow_redirects=False
        )
        async with request as response:
            content = await response.content.read(self._options.max_answer_bytes + 1)
            while len(content) <= self._options.max_answer_bytes and not response.content.at_eof():
                content += await response.content.read(self._options.max_answer_bytes + 1 - len(content))
            if len(content) > self._options.max_answer_bytes:
                raise Unavailable("an answer of the store is larger than options.max_answer_bytes")
            named = response.links.get("next")
            answer = Answer(response.status, content, str(named.get("url")) if named else None)
            return answer, _seconds(response.headers.get("Retry-After"))

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            host = self._base.host or ""
            with contextlib.suppress(ValueError):  # a name: the resolver checks its addresses
                self._allowed.check(host, [host])
            resolver = GuardedResolver(self._options.hosts, self._allowed)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=resolver, limit=self._options.parallel),
                timeout=aiohttp.ClientTimeout(total=self._options.timeout_s),
                trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


def _identifiers(options: HttpOptions) -> set[str]:
    return {name for resource in options.resources for name in _PLACE.findall(resource.find.path)}


def _login(options: HttpOptions) -> dict[str, str]:
    auth = options.auth
    if auth is None:
        return {}
    if auth.bearer:
        return {"Authorization": f"Bearer {reading.secret(auth.bearer)}"}
    if auth.basic:
        user, _, password = reading.secret(auth.basic).partition(":")
        return {"Authorization": aiohttp.BasicAuth(user, password, "utf-8").encode()}
    assert auth.header is not None
    assert auth.value is not None
    return {auth.header: reading.secret(auth.value)}


def _fill_text(template: str, filled: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda place: filled.get(place[1], ""), template)


def _parsed(body: bytes, what: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise Unavailable(f"the answer to the search for {what} is not JSON") from None


def _at(content: Any, path: str) -> Any:
    """What stands at a dotted path; None where there is nothing."""
    for name in path.split("."):
        content = content.get(name) if isinstance(content, dict) else None
    return content


def _seconds(retry_after: str | None) -> float | None:
    """`Retry-After` in seconds; a date, or nonsense, counts as none."""
    return float(retry_after) if retry_after and retry_after.isdigit() else None
