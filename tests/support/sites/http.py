"""A customer system with an HTTP API, as many are: search, pages, erasure by id, log-in, limits."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiohttp import web

from deploy.local import ports
from tests.support import stores
from tests.support.stores import Customer

VARIABLE = "CRM_TOKEN"
TOKEN = "let-me-in"  # of a server that lives as long as the test
PAGE = 2


class HttpSite:
    """Implements `Site`. `refuse` is a status that is answered to everything, `refuse_next` to the next requests."""

    can_lie = True

    def __init__(self) -> None:
        self.port = ports.choose(1)[0]
        self.contacts: dict[str, dict[str, str]] = {}
        self.refuse: int | None = None
        self.refuse_next: list[int] = []
        self.lies = False
        self.refuse_value: str | None = None
        self.refuse_value_with = 400
        self.seen: list[tuple[str, str, str | None]] = []
        self.next_page_host: str | None = None
        self.store = stores.store("http", self.options(), name="crm", identifiers=["email", "customer_ref"])

    def options(self, **changed: object) -> dict[str, object]:
        """As the store's file has them."""
        contact = {
            "what": "contacts",
            "find": {
                "path": "contacts?email={email}",
                "items": "data",
                "id": "id",
                "paging": {"kind": "field", "field": "links.next"},
            },
            "erase": {"path": "contacts/{id}"},
        }
        ticket = {
            "what": "tickets",
            "find": {"path": "tickets?customer={customer_ref}", "paging": {"kind": "link"}},
            "erase": {"method": "POST", "path": "tickets/erasures", "body": {"ticket": "{id}", "hard": True}},
        }
        base = {
            "base_url": f"http://localhost:{self.port}/api/",
            "hosts": ["localhost"],
            "networks": ["127.0.0.0/8", "::1/128"],
            "auth": {"bearer": f"env:{VARIABLE}"},
            "retry_initial_s": 0.01,
            "timeout_s": 5,
            "resources": [contact, ticket],
        }
        return {**base, **changed}

    def app(self) -> web.Application:
        """The server's routes."""
        app = web.Application(middlewares=[self._guard])
        app.router.add_get("/api/contacts", self._search_contacts)
        app.router.add_delete("/api/contacts/{id}", self._delete)
        app.router.add_get("/api/tickets", self._search_tickets)
        app.router.add_post("/api/tickets/erasures", self._post_erasure)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: web.RequestHandler) -> web.StreamResponse:  # type: ignore[type-arg]  # aiohttp's alias
        self.seen.append((request.method, request.path, request.headers.get("Idempotency-Key")))
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.Response(status=401)
        refused = self.refuse_next.pop(0) if self.refuse_next else self.refuse
        if refused is not None:
            return web.Response(status=refused, headers={"Retry-After": "0", "Location": "http://169.254.169.254/"})
        answer: web.StreamResponse = await handler(request)  # type: ignore[operator]  # a coroutine function
        return answer

    def _matching(self, kind: str, field: str, value: str) -> list[dict[str, str]]:
        return [{"id": key, **item} for key, item in sorted(self.contacts.items())
                if item["kind"] == kind and item[field].lower() == value.lower()]  # fmt: skip

    async def _search_contacts(self, request: web.Request) -> web.Response:
        if request.query["email"] == self.refuse_value:
            return web.Response(status=self.refuse_value_with)
        found = self._matching("contact", "email", request.query["email"])
        start = int(request.query.get("start", 0))
        following = None
        if start + PAGE < len(found):
            path = str(request.rel_url.update_query(start=start + PAGE))
            following = f"http://{self.next_page_host}{path}" if self.next_page_host else path
        return web.json_response({"data": found[start : start + PAGE], "links": {"next": following}})

    async def _search_tickets(self, request: web.Request) -> web.Response:
        found = self._matching("ticket", "customer", request.query["customer"])
        start = int(request.query.get("start", 0))
        more = start + PAGE < len(found)
        link = {"Link": f'<{request.rel_url.update_query(start=start + PAGE)}>; rel="next"'} if more else {}
        return web.json_response(found[start : start + PAGE], headers=link)

    async def _delete(self, request: web.Request) -> web.Response:
        return self._erase(request.match_info["id"])

    async def _post_erasure(self, request: web.Request) -> web.Response:
        asked = await request.json()
        assert asked["hard"] is True
        return self._erase(asked["ticket"])

    def _erase(self, key: str) -> web.Response:
        if not self.lies:
            self.contacts.pop(key, None)
        return web.Response(status=204)

    async def plant(self, people: Sequence[Customer]) -> None:
        for person in people:
            for number in range(3):
                item = {"email": person.email, "customer": person.customer_ref}
                self.contacts[f"{person.customer_ref}/{number}"] = {"kind": "contact", **item}
                self.contacts[f"t{person.customer_ref}/{number}"] = {"kind": "ticket", **item}

    async def content(self, people: Sequence[Customer]) -> object:
        emails = {person.email for person in people}
        return {key: item for key, item in self.contacts.items() if item["email"] in emails}

    async def is_empty_of(self, person: Customer) -> bool:
        return not await self.content([person])

    async def break_down(self) -> None:
        self.refuse = 503

    async def come_back(self) -> None:
        self.refuse = None

    async def lie(self) -> None:
        self.lies = True


@asynccontextmanager
async def site() -> AsyncIterator[HttpSite]:
    """The server, listening."""
    made = HttpSite()
    os.environ[VARIABLE] = TOKEN
    runner = web.AppRunner(made.app())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", made.port).start()
    try:
        yield made
    finally:
        await runner.cleanup()
        del os.environ[VARIABLE]
