"""Rewrites `jars.lock` for a Kafka version: `python -m deploy.local.relock 4.3.1`."""

import hashlib
import sys
import tempfile
from pathlib import Path

from jgo.maven import Dependency, MavenContext

from deploy.local import jars

SCALA = "2.13"
# What binds Kafka's logging (slf4j 1.7) to log4j 2; the broker's own POM leaves it to the distribution.
LOGGING = ("org.apache.logging.log4j", "log4j-slf4j-impl")


def entries(version: str, workplace: Path) -> list[jars.Jar]:
    """Every jar that the broker needs at run time, the broker's own first."""
    context = MavenContext(repo_cache=workplace)
    broker = context.create_dependency(f"org.apache.kafka:kafka_{SCALA}:{version}")
    inputs, transitive = context.resolver.resolve([broker])
    found = [_entry(dependency) for dependency in [*inputs, *transitive]]
    log4j = next(jar.version for jar in found if jar.artifact == "log4j-core")
    binding = context.create_dependency(":".join((*LOGGING, log4j)))
    return [*found, _entry(binding)]


def _entry(dependency: Dependency) -> jars.Jar:
    content = Path(dependency.artifact.resolve()).read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return jars.Jar(dependency.groupId, dependency.artifactId, dependency.version, digest, len(content))


def rendered(found: list[jars.Jar]) -> str:
    """The lock file's text."""
    head = "# The broker's class path, in order. Written by `python -m deploy.local.relock VERSION`.\n"
    tables = (
        f'\n[[jar]]\ngroup = "{jar.group}"\nartifact = "{jar.artifact}"\nversion = "{jar.version}"\n'
        f'sha256 = "{jar.sha256}"\nsize_bytes = {jar.size_bytes}\n'
        for jar in found
    )
    return head + "".join(tables)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        jars.LOCK.write_text(rendered(entries(sys.argv[1], Path(directory))))
