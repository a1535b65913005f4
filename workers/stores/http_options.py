"""The `options` of a store with an HTTP API: requests as templates, log-in, paging, limits."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from workers.stores.addresses import Network
from workers.stores.options import Options, Secret, What

PLACES = ("email", "customer_ref", "order_id", "shipment_id", "id")
Template = Annotated[str, StringConstraints(max_length=500)]


class Auth(Options):
    """How to log in: exactly one. Each value is a secret; `header` gives the name of the header it goes into."""

    bearer: Secret | None = None
    basic: Secret | None = Field(None, description="user:password")
    header: str | None = Field(None, pattern=r"^[A-Za-z0-9-]+$")
    value: Secret | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.header is None) != (self.value is None):
            raise ValueError("header and value belong together")
        if (self.bearer is not None) + (self.basic is not None) + (self.header is not None) != 1:
            raise ValueError("give exactly one of bearer, basic, header with value")
        return self


class Paging(Options):
    """How the next page of a list is asked for: a field that holds its link, the Link header, or a page number."""

    kind: Literal["field", "link", "page"]
    field: str = Field("next", description="Dotted path of the link (field), or the name of the parameter (page)")
    first: int = 1


class Search(Options):
    """How to find what a person has: one request per identifier value, answered with a list of objects.

    `items` is the dotted path of the list (empty: the answer itself), `id` that of an object's id. A 404 counts as an
    empty list only where the file says so: a wrong path would look like "nobody here" otherwise.
    """

    path: Template
    items: str = ""
    id: str = "id"
    not_found_is_empty: bool = False
    paging: Paging | None = None


class Erasure(Options):
    """How to erase: per object found (`{id}` in the path or body), or per identifier value."""

    method: Literal["DELETE", "POST", "PUT", "PATCH"] = "DELETE"
    path: Template
    body: Mapping[str, Template | bool | int | None] | None = None


class Resource(Options):
    """One kind of object that the store holds."""

    what: What
    find: Search
    erase: Erasure


class HttpOptions(Options):
    """The `options` of a store with an HTTP API.

    `hosts` must name the host of `base_url`; links to a next page stay on the scheme, host and port of `base_url`.
    `networks` lists private networks that it may be in. Redirects are never followed.
    """

    base_url: str = Field(pattern=r"^https?://[^\s?#]+$")
    hosts: tuple[str, ...] = Field(min_length=1)
    networks: tuple[Network, ...] = ()
    plain_http: bool = Field(False, description="Allow http:// beyond this machine: personal data travels in the clear")
    auth: Auth | None = None
    resources: tuple[Resource, ...] = Field(min_length=1)
    parallel: int = Field(8, ge=1, le=64)
    timeout_s: float = Field(30, gt=0)
    retries: int = Field(3, ge=0, le=10)
    retry_initial_s: float = Field(0.5, gt=0)
    max_pages: int = Field(1000, ge=1)
    max_answer_bytes: int = Field(4 << 20, ge=1024)
