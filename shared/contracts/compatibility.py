"""Whether a contract still reads what was published under it: pure comparisons of two JSON Schemas."""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

_LIMITS = (
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minItems",
    "maxItems",
)


def breaks(old: Schema, new: Schema) -> list[str]:
    """What in `new` would break an event published under `old`, as `field: why`; empty when nothing would.

    Refused: a field removed, its type changed, a new one without default, an enum, const or limit narrowed. Allowed:
    a new field with a default, a type widened (`str` to `str | None`), an enum with more values.
    """
    return list(_object(_Side(old, old), _Side(new, new), ""))


class _Side:
    """A part of a schema, with the whole one for what its references name."""

    def __init__(self, root: Schema, part: Schema) -> None:
        self.root = root
        while reference := part.get("$ref"):
            part = {**root["$defs"][reference.rpartition("/")[2]], **{k: v for k, v in part.items() if k != "$ref"}}
        self.part = part

    def at(self, part: Schema) -> "_Side":
        return _Side(self.root, part)

    @property
    def fields(self) -> Mapping[str, Schema]:
        found: Mapping[str, Schema] = self.part.get("properties", {})
        return found

    @property
    def required(self) -> frozenset[str]:
        return frozenset(self.part.get("required", ()))

    @property
    def values(self) -> frozenset[Any] | None:
        """The only values allowed, or None."""
        if "const" in self.part:
            return frozenset([self.part["const"]])
        return frozenset(self.part["enum"]) if "enum" in self.part else None

    @property
    def alternatives(self) -> list["_Side"]:
        return [self.at(part) for part in self.part.get("anyOf", [self.part])]

    @property
    def kind(self) -> tuple[Any, Any]:
        return self.part.get("type"), self.part.get("format")


def _object(old: _Side, new: _Side, path: str) -> Iterator[str]:
    for name in old.fields.keys() - new.fields.keys():
        yield f"{path}{name}: removed"
    for name in new.required - old.required:
        yield f"{path}{name}: {'no longer has a default' if name in old.fields else 'new, without a default'}"
    for name in old.fields.keys() & new.fields.keys():
        yield from _value(old.at(old.fields[name]), new.at(new.fields[name]), f"{path}{name}")


def _value(old: _Side, new: _Side, path: str) -> Iterator[str]:
    """Each kind of value there was must still be read as one of those there are."""
    for was in old.alternatives:
        same = [now for now in new.alternatives if now.kind == was.kind]
        if not same:
            yield f"{path}: type changed, {_named(was)} is gone"
        else:
            yield from min((list(_narrowed(was, now, path)) for now in same), key=len)


def _narrowed(old: _Side, new: _Side, path: str) -> Iterator[str]:
    if new.values is not None and (old.values is None or not old.values <= new.values):
        yield f"{path}: fewer values allowed"
    for limit in _LIMITS:
        if limit in new.part and new.part[limit] != old.part.get(limit):
            yield f"{path}: {limit} narrowed"
    yield from _object(old, new, f"{path}.")
    for inside in ("items", "additionalProperties"):
        if isinstance(old.part.get(inside), dict) and isinstance(new.part.get(inside), dict):
            yield from _value(old.at(old.part[inside]), new.at(new.part[inside]), f"{path}[]")


def _named(side: _Side) -> str:
    return " ".join(str(part) for part in side.kind if part) or "any"
