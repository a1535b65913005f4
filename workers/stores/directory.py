"""The stores as their files in `deploy/stores/` describe them: one YAML file per store, named after it.

The head that all kinds share is checked here. What a kind needs beyond it (`options`) is checked by its connector when
the store is used, so that one wrong file holds back one store.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from joserfc.jwk import OKPKey
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from schemas.store import MAX_SUBJECTS, StoreName, TaskSubject
from workers import yaml_file
from workers.errors import UsageError
from workers.stores import jwe

Kind = Literal["postgresql", "mysql", "http", "redis", "s3", "kafka", "folder", "human", "external"]
"""`external` is a system that reads `store-tasks` itself; the others are carried out by the worker `stores`."""

MAX_FOR_A_PERSON = 40
_TASK_MAX_BYTES = 1 << 20
_SUBJECT_BYTES = 80
"""What a subject of a task takes beside its identifiers."""
IdentifierName = Literal["email", "customer_ref", "order_id", "shipment_id"]


class Store(BaseModel):
    """One store file's head."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True,
                              arbitrary_types_allowed=True)  # fmt: skip

    name: StoreName
    title: Annotated[str, StringConstraints(min_length=1, max_length=80)]
    kind: Kind
    enabled: bool = True
    identifiers: Annotated[tuple[IdentifierName, ...], Field(min_length=1, strict=False)]
    max_subjects_per_task: int = Field(500, ge=1, le=MAX_SUBJECTS)
    respond_within_s: int = Field(3600, ge=1)
    backups_kept_days: int | None = Field(None, ge=0, description="None: nobody knows, and the certificate says so")
    public_key: str | None = Field(None, description="Only for a system that keeps its private key itself")
    options: Mapping[str, object] = Field(default_factory=dict)
    key: OKPKey | None = Field(None, exclude=True, repr=False)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.kind == "external") != (self.public_key is not None):
            raise ValueError("public_key belongs to a store of kind external, and to no other")
        if self.public_key is not None:
            jwe.public(self.public_key)
        if self.kind == "human" and self.max_subjects_per_task > MAX_FOR_A_PERSON:
            raise ValueError(f"max_subjects_per_task: a person's page has room for {MAX_FOR_A_PERSON}; set it so")
        if len(set(self.identifiers)) != len(self.identifiers):
            raise ValueError("identifiers names one twice")
        return self


def load(directory: Path, keyring_dir: Path) -> Mapping[str, Store]:
    """Every store in `directory` (`*.yaml`) by its name, disabled ones too; an empty directory is no store.

    Raises UsageError with one line that names the file, the key and what to do.
    """
    if not directory.is_dir():
        raise UsageError(f"{directory} is no directory: point LETHE_STORES_DIR at the stores' files")
    stores = [_read(path) for path in sorted(directory.glob("*.yaml"))]
    return {store.name: store.model_copy(update={"key": _key(store, keyring_dir)}) for store in stores}


def create_keys(directory: Path, keyring_dir: Path) -> list[str]:
    """Make the private key of each store that Lethe works on and that has none; returns their names."""
    if not directory.is_dir():
        return []
    own = [store.name for store in load(directory, keyring_dir).values() if store.kind != "external"]
    return [name for name in own if jwe.create_private(keyring_dir, name)]


class Sealing:
    """Seals for the people of a task what a store may know of them. Raises UsageError where the store has no key."""

    def __init__(self, store: Store) -> None:
        if store.key is None:
            raise UsageError(f"the store {store.name} has no key yet: make it with `lethe stores keys`")
        self._sealer = jwe.Sealer(store.key)
        self._names = store.identifiers

    def seal(self, identifiers: Mapping[str, Sequence[str]]) -> str:
        """Those of the identifiers that the store needs."""
        return self._sealer.seal({name: identifiers[name] for name in self._names if identifiers.get(name)})


def split(store: Store, subjects: Sequence[TaskSubject]) -> Iterator[tuple[TaskSubject, ...]]:
    """The subjects in their order, in parts that one task may hold: as many as the store takes, a megabyte at most."""
    part: list[TaskSubject] = []
    size_bytes = 0
    for subject in subjects:
        its_bytes = len(subject.identifiers) + _SUBJECT_BYTES
        if part and (len(part) == store.max_subjects_per_task or size_bytes + its_bytes > _TASK_MAX_BYTES):
            yield tuple(part)
            part, size_bytes = [], 0
        part.append(subject)
        size_bytes += its_bytes
    if part:
        yield tuple(part)


def _read(path: Path) -> Store:
    store = yaml_file.read(path, Store.model_validate)
    if path.stem != store.name:
        raise UsageError(f"{path}: name is {store.name!r}: rename the file to {store.name}.yaml or correct it")
    return store


def _key(store: Store, keyring_dir: Path) -> OKPKey | None:
    return jwe.public(store.public_key) if store.public_key else jwe.private(keyring_dir, store.name)
