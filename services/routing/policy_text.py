"""The YAML of a policy as data, with the line of everything in it: what is wrong is shown where it stands."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from shared.problems import FieldError

Loc = tuple[str | int, ...]


@dataclass(frozen=True)
class PolicyText:
    """`data` is what the YAML says; `lines` has the line (from 1) of each field by its path; `faults` is what no
    policy can be made of."""

    data: Any
    lines: Mapping[Loc, int] = field(default_factory=dict)
    faults: tuple[FieldError, ...] = ()

    def line(self, loc: Loc) -> int | None:
        """The line of a field, or of the nearest one around it that stands in the text."""
        while loc and loc not in self.lines:
            loc = loc[:-1]
        return self.lines.get(loc)


class _Loader(yaml.SafeLoader):
    """Without aliases: a text of a page could say a terabyte with them."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem_mark=self.peek_event().start_mark)  # type: ignore[no-untyped-call]
        return super().compose_node(parent, index)


def read(source: str) -> PolicyText:
    """Reads a policy's YAML; never raises."""
    loader = None
    try:
        loader = _Loader(source)
        node = loader.get_single_node()
        if node is None:  # nothing but comments
            return PolicyText(None)
        lines: dict[Loc, int] = {}
        twins = tuple(_walk(node, (), lines))
        return PolicyText(loader.construct_document(node), lines, twins)
    except yaml.reader.ReaderError as error:
        return _unreadable(source[: error.position].count("\n") + 1)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        return _unreadable(mark.line + 1 if mark else None)
    except (yaml.YAMLError, ValueError, RecursionError):
        return _unreadable(None)
    finally:
        if loader is not None:
            loader.dispose()


def _walk(node: yaml.Node, loc: Loc, lines: dict[Loc, int]) -> Iterator[FieldError]:
    """Notes the line of everything below a node; gives keys that stand there twice, of which one would be lost."""
    lines.setdefault(loc, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        for i, each in enumerate(node.value):
            yield from _walk(each, (*loc, i), lines)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here, line = (*loc, str(key.value)), key.start_mark.line + 1
            if here in lines:
                yield FieldError(here, "写了两次", "stands here twice", line)
            lines[here] = line
            yield from _walk(value, here, lines)


def _unreadable(line: int | None) -> PolicyText:
    return PolicyText(None, {}, (FieldError((), "不是正确的 YAML", "is not valid YAML", line),))
