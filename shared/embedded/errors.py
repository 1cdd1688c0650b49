"""What can go wrong with the embedded system, told in Chinese and English."""


class EmbeddedError(Exception):
    """Base of the errors below. `str()` gives both languages; `zh` and `en` give one.

    zh: what to do or what is wrong, for people.
    en: the same in English.
    """

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(f"{zh} · {en}")
        self.zh = zh
        self.en = en


class DirectoryInUse(EmbeddedError):
    """Another system holds the lock of this data directory."""


class PortTaken(EmbeddedError):
    """Another process listens on the port that was asked for."""


class JarRefused(EmbeddedError):
    """A file of Kafka is missing at the mirror or is not the one that the lock names."""


class StartFailed(EmbeddedError):
    """PostgreSQL or Kafka could not be prepared, or did not become healthy."""
