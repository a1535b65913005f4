"""The worker `relay`."""

from workers.engine import host
from workers.engine.relay import Relay
from workers.wiring.parts import Parts, Wired


def wire(app: host.Host, parts: Parts) -> Wired:
    """One relay per shard; those that do not get a shard's lock wait for it."""
    shards = range(parts.settings.relay_shards)
    return Wired([Relay(shard, parts.pool, parts.vault, parts.settings, parts.metrics, parts.exit) for shard in shards])
