"""The base of all contracts and the register of their CloudEvents types."""

from collections.abc import Callable
from typing import ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict


class Contract(BaseModel):
    """The `data` of an event. Readers ignore fields they do not know, so that writers may add some."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    topic: ClassVar[str]
    """Topic without the deployment's prefix."""
    type: ClassVar[str]
    """CloudEvents type, such as `cn.chuishao.routing.case.escalated.v1`."""


REGISTRY: dict[str, type[Contract]] = {}
"""CloudEvents type -> contract."""

C = TypeVar("C", bound=type[Contract])


def contract(topic: str, type_: str) -> Callable[[C], C]:
    """Registers a contract under `cn.chuishao.<type_>`."""

    def register(cls: C) -> C:
        cls.topic, cls.type = topic, f"cn.chuishao.{type_}"
        if REGISTRY.setdefault(cls.type, cls) is not cls:
            raise ValueError(f"{cls.type} is registered twice")
        return cls

    return register
