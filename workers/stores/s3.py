"""A store of S3-compatible objects: every object below a person's prefix, or at a person's key, in all its versions.

A deletion in a versioned bucket only hides an object; its versions and markers are deleted one by one. A server that
knows no versions says so, and is then asked for the objects alone.
"""

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, NamedTuple, Self, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

import minio
import urllib3
from minio.deleteobjects import DeleteObject
from minio.error import MinioException, S3Error
from pydantic import Field, StringConstraints, model_validator

from workers.stores import options as reading
from workers.stores.connector import Left, Misconfigured, Person, Unacceptable, Unavailable
from workers.stores.connectors import Surroundings
from workers.stores.directory import Store
from workers.stores.options import Options, Secret, What

_PLACE = re.compile(r"\{(email|customer_ref|order_id|shipment_id)\}")
_WRONG = frozenset({"AccessDenied", "InvalidAccessKeyId", "NoSuchBucket", "SignatureDoesNotMatch", "AllAccessDisabled"})
_T = TypeVar("_T")


class Objects(Options):
    """Objects of a person: all below `prefix`, or the one at `key`."""

    what: What
    bucket: Annotated[str, StringConstraints(min_length=3, max_length=63)]
    prefix: str | None = None
    key: str | None = None

    @property
    def template(self) -> str:
        """Whichever is given."""
        return self.prefix if self.prefix is not None else self.key or ""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.prefix is None) == (self.key is None):
            raise ValueError("give either prefix or key")
        if len(_PLACE.findall(self.template)) != 1:
            raise ValueError("prefix or key holds exactly one {identifier}")
        if self.prefix is not None and self.prefix.endswith("}"):
            raise ValueError("a separator must follow {identifier} in a prefix: c-7 is a prefix of c-77 as well")
        return self


class S3Options(Options):
    """The `options` of an S3-compatible store."""

    endpoint: str = Field(pattern=r"^https?://[^\s/?#]+$")
    region: str = "us-east-1"
    access_key: Secret
    secret_key: Secret
    objects: Annotated[tuple[Objects, ...], Field(min_length=1)]
    parallel: int = Field(8, ge=1, le=32)
    timeout_s: float = Field(30, gt=0)


class Stored(NamedTuple):
    """One version of an object that is a person's."""

    ref: UUID
    what: str
    bucket: str
    name: str
    version_id: str | None


def connect(store: Store, _surroundings: Surroundings) -> "S3Store":
    """The connector of this store. Raises Misconfigured."""
    return S3Store(reading.parse(S3Options, store.options))


class S3Store:
    """Implements `connector.Connector`. The library blocks, so that a few threads do the work."""

    def __init__(self, options: S3Options) -> None:
        self._options = options
        self._slots = asyncio.Semaphore(options.parallel)
        self._client: Any = None
        self._has_versions = True

    async def check(self) -> list[str]:
        """Reach each bucket."""
        lines = []
        for bucket in dict.fromkeys(one.bucket for one in self._options.objects):
            if not await self._in_thread(self._exists, bucket):
                raise Misconfigured(f"there is no bucket {bucket}, or this account may not see it")
            await self._in_thread(lambda bucket=bucket: next(self._listed(bucket, "lethe-check/", False), None))
            lines.append(
                f"bucket {bucket}: {'all versions are looked at' if self._has_versions else 'has no versions'}"
            )
        return lines

    async def find(self, people: Sequence[Person]) -> Mapping[UUID, Left]:
        """What there is."""
        return _counted(await self._existing(people))

    async def erase(self, people: Sequence[Person]) -> Mapping[UUID, Left]:
        """Delete every version of what there is."""
        found = await self._existing(people)
        for bucket in dict.fromkeys(one.bucket for one in found):
            theirs = {(one.name, one.version_id) for one in found if one.bucket == bucket}
            await self._in_thread(self._delete, bucket, theirs)
        return _counted(found)

    async def close(self) -> None:
        """End the connections."""
        if self._client is not None:
            self._client._http.clear()
            self._client = None

    async def _existing(self, people: Sequence[Person]) -> list[Stored]:
        asked = [
            (objects, person.subject_ref, value)
            for objects in self._options.objects
            for person in people
            for value in dict.fromkeys(person.values(_place(objects)[1]))
        ]
        found = await asyncio.gather(*(self._in_thread(self._of, *one) for one in asked))
        return [stored for some in found for stored in some]

    def _exists(self, bucket: str) -> bool:
        for _ in self._listed(bucket, "lethe-check/", False):
            break
        return bool(self._connected().bucket_exists(bucket))

    def _of(self, objects: Objects, ref: UUID, value: str) -> list[Stored]:
        wanted = objects.template.replace(_place(objects)[0], value)
        return [
            Stored(ref, objects.what, objects.bucket, one.object_name, one.version_id)
            for one in self._listed(objects.bucket, wanted, objects.prefix is not None)
            if objects.prefix is not None or one.object_name == wanted
        ]

    def _listed(self, bucket: str, prefix: str, recursive: bool) -> Iterator[Any]:
        if self._has_versions:
            try:
                yield from self._connected().list_objects(bucket, prefix, recursive=recursive, include_version=True)
            except S3Error as error:
                if error.code != "NotImplemented":
                    raise
                self._has_versions = False
            else:
                return
        yield from self._connected().list_objects(bucket, prefix, recursive=recursive)

    def _delete(self, bucket: str, theirs: set[tuple[str, str | None]]) -> None:
        wanted = [DeleteObject(name, version_id) for name, version_id in sorted(theirs, key=str)]
        refused = list(self._connected().remove_objects(bucket, wanted))
        if refused:
            raise Unacceptable(f"the store refuses to delete {len(refused)} objects: {refused[0].code}")

    def _connected(self) -> Any:
        if self._client is None:
            url, options = urlsplit(self._options.endpoint), self._options
            timeout = urllib3.Timeout(connect=10, read=options.timeout_s)
            self._client = minio.Minio(
                url.netloc, reading.secret(options.access_key), reading.secret(options.secret_key),
                secure=url.scheme == "https", region=options.region,
                http_client=urllib3.PoolManager(maxsize=options.parallel, timeout=timeout, retries=2),
            )  # fmt: skip
        return self._client

    async def _in_thread(self, work: Callable[..., _T], *arguments: Any) -> _T:
        async with self._slots:
            try:
                return await asyncio.to_thread(work, *arguments)
            except S3Error as error:
                kind = Misconfigured if error.code in _WRONG else Unavailable
                raise kind(f"the store did not do it: {error.code}") from None
            except (MinioException, urllib3.exceptions.HTTPError, OSError) as error:
                raise Unavailable(f"the store did not do it: {type(error).__name__}") from None
            except ValueError:
                raise Misconfigured("options.endpoint, a bucket or a key is not one that S3 takes") from None


def _place(objects: Objects) -> re.Match[str]:
    place = _PLACE.search(objects.template)
    assert place is not None
    return place


def _counted(found: Sequence[Stored]) -> dict[UUID, Left]:
    counts: dict[UUID, dict[str, int]] = {}
    for stored in found:
        theirs = counts.setdefault(stored.ref, {})
        theirs[stored.what] = theirs.get(stored.what, 0) + 1
    return {ref: Left(theirs) for ref, theirs in counts.items()}
