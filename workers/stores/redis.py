"""A store that is a Redis or Valkey: keys, members of sets, fields of hashes, entries of lists, by templates.

A template such as `cart:{customer_ref}` names what belongs to a person. With a `*` in it, the keys are looked for with
SCAN, once for all people of a task: that goes through every key of the database.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal, NamedTuple, Self
from uuid import UUID

from pydantic import Field, model_validator
from redis import asyncio as client
from redis import exceptions

from workers.stores import options as reading
from workers.stores.connector import Left, Misconfigured, Person, Unavailable
from workers.stores.connectors import Surroundings
from workers.stores.directory import Store
from workers.stores.options import Options, Secret, What

_PLACE = re.compile(r"\{(email|customer_ref|order_id|shipment_id)\}")
_SCAN_COUNT = 1000
_AT_ONCE = 2000


class Item(Options):
    """One thing that belongs to a person: a key of their own, or a member of a key that others share."""

    what: What
    key: str = Field(min_length=1, description="A template; with * several keys")
    kind: Literal["key", "set", "sorted_set", "hash", "list"] = "key"
    member: str | None = Field(None, description="A template: the member, field or entry")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.kind == "key") != (self.member is None):
            raise ValueError("member belongs to set, sorted_set, hash and list, and to no key")
        template = self.key if self.member is None else self.member
        if len(_PLACE.findall(template)) != 1 or (self.member is not None and _PLACE.search(self.key)):
            raise ValueError("exactly one {identifier} stands in the key, or in the member where there is one")
        if "*" in self.key and self.member is not None:
            raise ValueError("a * may stand only in keys that are a person's alone")
        if re.search(r"\*\{|\}\*", self.key):
            raise ValueError("a separator must stand between * and {identifier}: c-7* would find c-77 as well")
        return self


class RedisOptions(Options):
    """The `options` of a Redis. `url` is a secret such as redis://user:password@host:6379/0."""

    url: Secret
    items: Annotated[tuple[Item, ...], Field(min_length=1)]
    timeout_s: float = Field(10, gt=0)


class Owned(NamedTuple):
    """A key, or a member of one, that is a person's."""

    ref: UUID
    what: str
    kind: str
    key: bytes
    member: bytes | None


def connect(store: Store, _surroundings: Surroundings) -> "RedisStore":
    """The connector of this store. Raises Misconfigured."""
    return RedisStore(reading.parse(RedisOptions, store.options))


class RedisStore:
    """Implements `connector.Connector`."""

    def __init__(self, options: RedisOptions) -> None:
        self._options = options
        self._client: Any = None

    async def check(self) -> list[str]:
        """Reach it; say what a task costs."""
        async with self._connected() as redis:
            await redis.ping()
            size = await redis.dbsize()
        scans = sum("*" in item.key for item in self._options.items)
        return [f"connected; {size} keys", *([f"{scans} templates with *: each task scans them all"] if scans else [])]

    async def find(self, people: Sequence[Person]) -> Mapping[UUID, Left]:
        """What there is."""
        async with self._connected() as redis:
            return _counted(await self._existing(redis, people))

    async def erase(self, people: Sequence[Person]) -> Mapping[UUID, Left]:
        """Delete what there is."""
        async with self._connected() as redis:
            found = await self._existing(redis, people)
            for start in range(0, len(found), _AT_ONCE):
                async with redis.pipeline(transaction=False) as pipe:
                    for owned in found[start : start + _AT_ONCE]:
                        _delete(pipe, owned)
                    await pipe.execute()
            return _counted(found)

    async def close(self) -> None:
        """End the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    @asynccontextmanager
    async def _connected(self) -> Any:
        try:
            if self._client is None:
                timeout_s = self._options.timeout_s
                self._client = client.Redis.from_url(
                    reading.secret(self._options.url), socket_timeout=timeout_s, socket_connect_timeout=timeout_s
                )
            yield self._client
        except (exceptions.AuthenticationError, exceptions.NoPermissionError) as error:
            raise Misconfigured(f"Redis does not allow it: {type(error).__name__}") from None
        except exceptions.ResponseError:
            raise Misconfigured("Redis refuses a command: is a key of another kind than its item says?") from None
        except (exceptions.RedisError, OSError, TimeoutError) as error:
            raise Unavailable(f"Redis did not do it: {type(error).__name__}") from None
        except ValueError:
            raise Misconfigured("the secret is not a URL such as redis://user:password@host:6379/0") from None

    async def _existing(self, redis: Any, people: Sequence[Person]) -> list[Owned]:
        """What of the people's there is now."""
        named: list[Owned] = []
        for item in self._options.items:
            if "*" in item.key:
                named += await _scanned(redis, item, people)
            else:
                named += _named(item, people)
        found: list[Owned] = []
        for start in range(0, len(named), _AT_ONCE):
            part = named[start : start + _AT_ONCE]
            async with redis.pipeline(transaction=False) as pipe:
                for owned in part:
                    _look_for(pipe, owned)
                answers = await pipe.execute()
            found += [owned for owned, answer in zip(part, answers, strict=True) if _is_there(owned.kind, answer)]
        return found


def _named(item: Item, people: Sequence[Person]) -> list[Owned]:
    template = item.key if item.member is None else item.member
    named = []
    for person in people:
        for text in dict.fromkeys(_filled(template, person)):
            key, member = (text, None) if item.member is None else (item.key, text.encode())
            named.append(Owned(person.subject_ref, item.what, item.kind, key.encode(), member))
    return named


def _filled(template: str, person: Person) -> list[str]:
    place = _PLACE.search(template)
    assert place is not None
    return [template.replace(place[0], value) for value in person.values(place[1])]


async def _scanned(redis: Any, item: Item, people: Sequence[Person]) -> list[Owned]:
    """Go through all keys that the template could name, and tell whose each is by the identifier in it."""
    place = _PLACE.search(item.key)
    assert place is not None
    whole = "".join("(.*)" if part == "*" else re.escape(part) for part in re.split(r"(\*)", item.key[: place.start()]))
    rest = "".join("(.*)" if part == "*" else re.escape(part) for part in re.split(r"(\*)", item.key[place.end() :]))
    owners: dict[str, list[UUID]] = {}
    for person in people:
        for value in person.values(place[1]):
            owners.setdefault(value, []).append(person.subject_ref)
    if not owners:
        return []
    values = "|".join(re.escape(value) for value in sorted(owners, key=len, reverse=True))
    pattern = re.compile(f"{whole}(?P<value>{values}){rest}", re.DOTALL)
    glob = re.sub(r"([\[\]?\\^])", r"\\\1", item.key).replace(place[0], "*")
    found = []
    async for key in redis.scan_iter(match=glob, count=_SCAN_COUNT):
        matched = pattern.fullmatch(key.decode("utf-8", "surrogateescape"))
        if matched:
            found += [Owned(ref, item.what, item.kind, key, None) for ref in owners[matched["value"]]]
    return found


def _look_for(pipe: Any, owned: Owned) -> None:
    if owned.kind == "key":
        pipe.exists(owned.key)
    elif owned.kind == "set":
        pipe.sismember(owned.key, owned.member)
    elif owned.kind == "sorted_set":
        pipe.zscore(owned.key, owned.member)
    elif owned.kind == "hash":
        pipe.hexists(owned.key, owned.member)
    else:
        pipe.lpos(owned.key, owned.member)


def _is_there(kind: str, answer: object) -> bool:
    """ZSCORE and LPOS answer a number (0 is one) or nothing; EXISTS, SISMEMBER and HEXISTS 0 or 1."""
    return answer is not None if kind in ("sorted_set", "list") else bool(answer)


def _delete(pipe: Any, owned: Owned) -> None:
    if owned.kind == "key":
        pipe.unlink(owned.key)
    elif owned.kind == "set":
        pipe.srem(owned.key, owned.member)
    elif owned.kind == "sorted_set":
        pipe.zrem(owned.key, owned.member)
    elif owned.kind == "hash":
        pipe.hdel(owned.key, owned.member)
    else:
        pipe.lrem(owned.key, 0, owned.member)


def _counted(found: Sequence[Owned]) -> dict[UUID, Left]:
    counts: dict[UUID, dict[str, int]] = {}
    for owned in found:
        theirs = counts.setdefault(owned.ref, {})
        theirs[owned.what] = theirs.get(owned.what, 0) + 1
    return {ref: Left(theirs) for ref, theirs in counts.items()}
