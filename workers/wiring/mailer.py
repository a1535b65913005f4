"""The worker `mailer`: sends what the ledger of mails holds."""

import os
import secrets

from workers import clock
from workers.engine import host
from workers.issues.starter import IssueStarter
from workers.mail import dkim, sink_pages
from workers.mail.composer import Composer
from workers.mail.ledger import Ledger
from workers.mail.sender import Sender
from workers.mail.sink import Sink
from workers.mail.smtp import Connections
from workers.wiring.parts import Parts, Wired


def wire(app: host.Host, parts: Parts) -> Wired:
    """The sender; and, where one is asked for, the sink that it sends to."""
    settings = parts.settings
    signer = dkim.load(settings.dkim_dir, settings.dkim_domain, settings.dkim_selector)
    ledger = Ledger(parts.pool, f"{os.getpid()}.{secrets.token_hex(4)}", settings.mail_claim_s)
    starter = IssueStarter(parts.pool, parts.metrics, clock.system_clock, parts.exit)
    composer = Composer(settings, parts.keyring, signer, starter.content)
    sender = Sender(
        parts.pool, ledger, composer, Connections(settings), parts.vault, starter.sending, settings,
        parts.metrics, clock.system_clock, parts.exit,
    )  # fmt: skip
    if settings.sink_dir is None:
        return Wired([starter, sender])
    sink_pages.mount(app, settings.sink_dir)
    return Wired([Sink(settings.sink_dir, settings.smtp_host, settings.smtp_port), starter, sender])
