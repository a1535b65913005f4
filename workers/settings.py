"""Settings: environment variables `LETHE_*` first, then `lethe.toml` in the working directory, then these defaults.

While `lethe up` runs, it leaves in `.lethe/env` where its servers are, so that other commands find them; whatever is
set otherwise wins over it.
"""

from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from workers.errors import UsageError


class Settings(BaseSettings):
    """Everything that a deployment may choose. `lethe doctor` prints it without secrets."""

    model_config = SettingsConfigDict(
        env_prefix="LETHE_",
        toml_file="lethe.toml",
        env_file=".lethe/env",
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    prefix: str = Field(
        "", pattern=r"^[A-Za-z0-9._-]*$", description="Put before every topic, group and transactional id"
    )
    kafka_bootstrap: str = Field("127.0.0.1:19092", description="host:port of brokers, comma separated")
    kafka_security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_username: str | None = None
    kafka_password: SecretStr | None = None
    kafka_ca_file: Path | None = None
    database_dsn: SecretStr = Field(
        SecretStr("postgresql://postgres@127.0.0.1:15432/lethe"), description="PostgreSQL 16 or newer"
    )
    keyring_dir: Path = Field(Path(".lethe/keyring"), description="Outside the database and outside its backups")
    carriers_dir: Path = Field(Path("deploy/carriers"), description="One YAML file per carrier")
    stores_dir: Path = Field(Path("deploy/stores"), description="One YAML file per store that holds personal data")
    orders_shared: bool = Field(False, description="True when the orders topic is the shop's own bus, read by others")
    orders_partitions: int = Field(4, ge=1, le=1000)
    segment_ms: int = Field(
        600_000,
        ge=1000,
        description="How soon a log segment with personal data is closed; erased bytes leave the disk soon after",
    )
    carrier_partitions: int = Field(2, ge=1, le=1000)

    web_host: str = "127.0.0.1"
    web_port: int = Field(6066, ge=1, le=65535, description="/health, /ready and /metrics of the first worker")
    log_format: Literal["json", "console"] = "json"

    batch_max_records: int = Field(2000, ge=1, le=20000)
    dedupe_retention_days: int = Field(30, ge=8, description="Longer than the longest replay and any topic's retention")
    body_max_bytes: int = Field(256 * 1024, ge=1024)
    event_max_future_s: int = Field(3600, ge=0)
    event_max_age_s: int = Field(400 * 86400, ge=3600)
    parking_max_consecutive: int = Field(500, ge=1, description="Refusals in a row before the worker stops")
    parking_max_ratio: float = Field(0.5, gt=0, le=1, description="Share of refusals in a window before it stops")
    parking_window: int = Field(2000, ge=100, description="Events that the ratio looks back over")
    dead_letter_max_age_s: int = Field(
        30 * 86400, ge=3600, description="How long a parked event waits for a person before its sealed copy is deleted"
    )
    session_timeout_s: float = Field(10, ge=1)
    rebalance_timeout_s: float = Field(60, ge=5)
    transaction_timeout_s: float = Field(30, ge=1)
    stuck_after_s: float = Field(60, ge=1, description="No progress with lag for so long makes /health fail")
    retry_initial_s: float = Field(0.1, gt=0)
    retry_max_s: float = Field(10, gt=0)
    consents_partitions: int = Field(2, ge=1, le=1000)
    requests_partitions: int = Field(2, ge=1, le=1000)
    orders_in_flight: Literal["wait", "cancel"] = Field(
        "wait", description="Whether an erasure waits until open orders are delivered, or withdraws them"
    )
    erasure_wait_days: int = Field(14, ge=0, le=25, description="An erasure waits no longer for open orders")
    supervisory_authority: str = Field("https://www.cnil.fr", description="Where people may complain; in the last mail")
    erasure_poll_s: float = Field(0.5, gt=0)
    identity_hours: int = Field(48, ge=1, le=168, description="How long a link that proves identity works")
    account_key_file: Path | None = Field(
        None, description="PEM public key of the shop's account page, which vouches for people who have logged in"
    )
    purposes_file: Path = Field(Path("deploy/purposes.yaml"), description="What people may consent to")
    policies_dir: Path = Field(Path("deploy/policies"), description="The policy's versions, Markdown")
    policy_notice_days: int = Field(14, ge=0, description="People are told of a material change so long before it")
    consent_years: int = Field(3, ge=1, le=10, description="A consent expires so long after the last own contact")
    confirm_hours: int = Field(48, ge=1, le=720, description="How long a confirmation link works")

    shop_name: str = Field("Example Shop", min_length=1, max_length=80, description="As people know it; in every mail")
    public_url: str = Field(
        "http://127.0.0.1:8025", pattern=r"^https?://[^/]+$", description="Where people reach pages"
    )
    public_host: str = "127.0.0.1"
    public_port: int = Field(8025, ge=1, le=65535, description="Where the pages for people listen, behind a proxy")
    trusted_proxies: int = Field(0, ge=0, le=5, description="How many of our own proxies append to X-Forwarded-For")
    contact_address: str = Field("privacy@shop.example", description="The shop's mailbox for questions")
    mail_from: str = Field("shop@shop.example", description="Sender of what must be said")
    newsletter_from: str = Field("news@shop.example", description="Sender of what needs consent")
    bounce_address: str = Field(
        "bounces@shop.example", pattern=r"^[^@]{1,29}@[^@]+$",
        description="Envelope sender; gets a tag per mail (VERP), hence 29 characters before the @ at most",
    )  # fmt: skip
    unsubscribe_address: str = Field(
        "unsubscribe@shop.example", pattern=r"^[^@]{1,24}@[^@]+$",
        description="Gets a tag per subscription, hence 24 characters before the @ at most",
    )  # fmt: skip
    issue_weekday: Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] = "thursday"
    issue_hour: int = Field(9, ge=0, le=23, description="When the weekly issue goes out, in the shop's time zone")
    time_zone: str = Field("Europe/Paris", description="The controller's: weekday and hour of an issue")
    smtp_host: str = "127.0.0.1"
    smtp_port: int = Field(1025, ge=1, le=65535)
    smtp_security: Literal["none", "starttls", "tls"] = "none"
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    smtp_ca_file: Path | None = None
    smtp_connections: int = Field(10, ge=1, le=200)
    smtp_timeout_s: float = Field(30, gt=0)
    mail_retry_initial_s: float = Field(60, gt=0, description="Pause before the second attempt at a mail; then doubled")
    mail_retry_max_s: float = Field(4 * 3600, gt=0)
    mail_claim_s: float = Field(
        180, ge=1, description="A sender that is silent so long has died: longer than a handful of mails can take"
    )
    mail_max_attempts: int = Field(12, ge=1)
    mails_per_s: float = Field(1000, gt=0, description="All mails of one sender process together")
    mails_per_s_per_domain: float = Field(1000, gt=0, description="To one recipient domain")
    dkim_dir: Path = Field(Path(".lethe/dkim"), description="rsa.pem and ed25519.pem; not signed where it is missing")
    dkim_domain: str = "shop.example"
    dkim_selector: str = Field("lethe", description="<selector>-rsa and <selector>-ed25519 are published in DNS")
    staff_address: str | None = Field(
        None, description="Where people of the shop read questions; without it they are at contact_address, or listed"
    )
    postbox_host: str = "127.0.0.1"
    postbox_port: int = Field(8024, ge=1, le=65535, description="LMTP, for the shop's mail server to deliver to")
    postbox_max_bytes: int = Field(32 << 20, ge=1 << 16, description="Larger mails are refused while they are sent")
    postbox_kept_days: int = Field(30, ge=1, description="How long the sealed copy of a mail that was dealt with stays")
    sink_dir: Path | None = Field(None, description="Where `lethe up` keeps mails instead of sending them")
    store_lease_s: float = Field(60, ge=1, description="A worker that is silent for so long has died: its task is free")
    store_retry_initial_s: float = Field(1, gt=0, description="Pause before a store is asked again; then doubled")
    store_retry_max_s: float = Field(300, gt=0)
    relay_shards: int = Field(1, ge=1, le=64)
    relay_poll_s: float = Field(0.2, gt=0)

    @cached_property
    def kafka_client(self) -> dict[str, object]:
        """Connection arguments that aiokafka's consumer, producer and admin share."""
        options: dict[str, object] = {
            "bootstrap_servers": self.kafka_bootstrap,
            "security_protocol": self.kafka_security,
        }
        if self.kafka_username is not None and self.kafka_password is not None:
            options["sasl_mechanism"] = "SCRAM-SHA-512"
            options["sasl_plain_username"] = self.kafka_username
            options["sasl_plain_password"] = self.kafka_password.get_secret_value()
        if self.kafka_security.endswith("SSL"):
            from aiokafka.helpers import create_ssl_context

            options["ssl_context"] = create_ssl_context(cafile=str(self.kafka_ca_file) if self.kafka_ca_file else None)
        return options

    @cached_property
    def kafka_admin(self) -> dict[str, str]:
        """The same connection as librdkafka properties, for admin calls."""
        options = {"bootstrap.servers": self.kafka_bootstrap, "security.protocol": self.kafka_security}
        if self.kafka_username is not None and self.kafka_password is not None:
            options["sasl.mechanism"] = "SCRAM-SHA-512"
            options["sasl.username"] = self.kafka_username
            options["sasl.password"] = self.kafka_password.get_secret_value()
        if self.kafka_ca_file is not None:
            options["ssl.ca.location"] = str(self.kafka_ca_file)
        return options

    def group(self, worker: str) -> str:
        """The consumer group of a worker."""
        return f"{self.prefix}lethe.{worker}"

    def topic(self, name: str) -> str:
        """A topic's full name."""
        return f"{self.prefix}{name}"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then `lethe.toml`, then what `lethe up` left."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls), dotenv_settings


def load(**overrides: object) -> Settings:
    """The settings in force. Raises UsageError with a line per wrong setting, never with its value."""
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # pydantic checks each one
    except ValidationError as error:
        lines = [f"LETHE_{'_'.join(str(part) for part in e['loc']).upper()}: {e['msg']}" for e in error.errors()]
        raise UsageError("wrong settings (environment or lethe.toml):\n  " + "\n  ".join(lines)) from None
    except ValueError as error:
        raise UsageError(f"lethe.toml cannot be read: {error}") from None
