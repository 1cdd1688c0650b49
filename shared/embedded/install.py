"""`python -m shared.embedded.install [--lock]`: fetch Kafka's jars ahead, or write their lock anew."""

import argparse
import hashlib
import sys
import tempfile
from pathlib import Path

from shared.embedded.errors import EmbeddedError
from shared.embedded.jars import LOCK, install, mirror

ROOTS = (
    "org.apache.kafka:kafka_2.13:4.3.1",
    "net.sourceforge.argparse4j:argparse4j:0.7.0",  # StorageTool needs it
    "org.slf4j:slf4j-simple:1.7.36",  # so that Kafka's warnings are written
)


def write_lock() -> None:
    """Resolve `ROOTS` with all that they need at run time, and write the paths and sums of the jars."""
    from jgo.maven import MavenContext

    with tempfile.TemporaryDirectory() as folder:
        repository = Path(folder)
        context = MavenContext(repo_cache=repository, remote_repos={"central": mirror()}, timeout=60)
        roots = [context.create_dependency(root) for root in ROOTS]
        inputs, transitive = context.resolver.resolve(roots)
        files = {
            dependency.artifact.resolve()
            for dependency in (*inputs, *transitive)
            if dependency.scope in (None, "compile", "runtime")
        }
        lines = [
            f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.relative_to(repository).as_posix()}\n"
            for file in sorted(files)
        ]
    LOCK.write_text("".join(lines))
    print(f"{LOCK.name}: {len(lines)} files")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lock", action="store_true", help="write the lock anew instead of installing")
    try:
        if parser.parse_args().lock:
            write_lock()
        install(print)
    except EmbeddedError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
