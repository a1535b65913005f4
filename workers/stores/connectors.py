"""Which module speaks to which kind of store; each is imported when a store of its kind is used."""

import importlib
from typing import NamedTuple, cast

from workers.settings import Settings
from workers.stores.connector import Connector, Misconfigured
from workers.stores.directory import Store

_EXTRA = "pip install 'lethe[stores]'"


class Surroundings(NamedTuple):
    """What a connector may use besides its store's own file."""

    settings: Settings


def connect(store: Store, surroundings: Surroundings) -> Connector:
    """The connector of a store; it connects when it is first used.

    Raises Misconfigured when the store's options are wrong, or its kind needs a library that is not installed.
    """
    try:
        module = importlib.import_module(f"workers.stores.{store.kind}")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("workers"):
            raise
        raise Misconfigured(f"stores of kind {store.kind} need the package {error.name}: {_EXTRA}") from None
    return cast(Connector, module.connect(store, surroundings))
