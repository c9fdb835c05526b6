"""A YAML document as a tree in which every part knows its place.

YAML 1.2, read by ruamel.yaml (`no` is a word, `1e3` a number, `012` is twelve). A scenario may come from
anybody, so what could hurt or mislead is refused with the line where it stands: bytes that are not
UTF-8, keys given twice, tags, numbers that are not finite, documents that are too large or too deep,
and aliases that multiply.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, StringMark, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from rehearse.errors import ScenarioError

MAX_BYTES = 1_000_000
MAX_DEPTH = 40
MAX_PARTS = 100_000
MAX_SHOWN = 80
"""Characters of an option that a message repeats."""
EXACT_WHOLE = 2.0**53
"""Up to here a float that is a whole number stands for exactly that number."""
HUGE = 2**63

Scalar = str | int | float | bool | None
Key = str | int

_TAG = "tag:yaml.org,2002:"
_WORDS = frozenset({"str", "timestamp"})
_PLAIN = frozenset({"int", "float", "bool", "null"})
_INDENT = "Indent with spaces, and mind the colons, quotes and brackets there and just above."


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was written: a file with line and column from 1, or an option (line 0)."""

    source: str
    line: int = 0
    column: int = 0

    @property
    def written_in_a_file(self) -> bool:
        """Tell a place in a file from an option on the command line."""
        return self.line > 0

    def __str__(self) -> str:
        """Return `file:line:column`, which editors and terminals make clickable."""
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


@dataclass(frozen=True, slots=True)
class Node:
    """A value, a map or a list, and the place where it was written (a map's entry: where its key is)."""

    value: Scalar | dict[str, Node] | list[Node]
    place: Place

    def plain(self) -> Any:
        """Return the same as dicts, lists and scalars."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def without(self, key: str) -> Node:
        """Return the same map without a key."""
        entries = self.value if isinstance(self.value, dict) else {}
        return Node({name: node for name, node in entries.items() if name != key}, self.place)

    def child(self, key: Key) -> Node | None:
        """Return what stands under a key or at a list position, or None."""
        if isinstance(self.value, dict):
            return self.value.get(str(key))
        if isinstance(self.value, list) and isinstance(key, int) and 0 <= key < len(self.value):
            return self.value[key]
        return None


Locate = Callable[[StringMark], Place]


def node_of(value: Any, place: Place) -> Node:
    """Return plain dicts, lists and scalars as a tree, all at one place."""
    if isinstance(value, dict):
        return Node({str(k): node_of(v, place) for k, v in value.items()}, place)
    if isinstance(value, list | tuple):
        return Node([node_of(v, place) for v in value], place)
    return Node(value, place)


@lru_cache(maxsize=8)
def parse(data: bytes | str, source: str) -> Node:
    """Read one YAML document; `source` names it in messages. Raises ScenarioError.

    The tree is kept for whoever reads the same again, and must not be written into.
    """
    return _parse(data, source, lambda mark: Place(source, mark.line + 1, mark.column + 1))


def parse_value(text: str, source: str) -> Node:
    """Read a value as it is given to an option: a number, word, list or map in YAML; empty is null."""
    source = source if len(source) <= MAX_SHOWN else f"{source[:MAX_SHOWN]}…"
    place = Place(source)
    return _parse(text, source, lambda _: place) if text.strip() else Node(None, place)


def _parse(data: bytes | str, source: str, locate: Locate) -> Node:
    text = _text(data, source)
    try:
        constructor, root = _compose(text)
        if root is None:
            problem = f"{source}: the document is empty."
            raise ScenarioError(problem, "Write keys and values, as `rehearse show travel --resolved` does.")
        return _Builder(constructor, locate).build(root, locate(root.start_mark), depth=0)
    except YAMLError as error:
        raise _explained(error, source, locate) from None
    except RecursionError:
        problem = f"{source}: the document is nested more than {MAX_DEPTH} levels deep."
        raise ScenarioError(problem, "Make it flatter.") from None
    except (LookupError, ValueError, TypeError, AttributeError) as error:
        # What ruamel raises for odd documents: a %YAML 1.1 directive ends in an IndexError, say.
        problem = f"{source}: this is not YAML 1.2 ({error})."
        remedy = "Write plain keys and values, without directives (%) or tags (!)."
        raise ScenarioError(problem, remedy) from None


def _text(data: bytes | str, source: str) -> str:
    if len(data) > MAX_BYTES:
        problem = f"{source}: {len(data):,} bytes are more than a scenario may have ({MAX_BYTES:,})."
        raise ScenarioError(problem, "Put tables into a CSV or Parquet file and name it.")
    if isinstance(data, str):
        return data
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        problem = f"{source}:{line}:{column}: byte 0x{data[error.start]:02x} is not UTF-8."
        raise ScenarioError(problem, "Save the file as UTF-8 text.") from None


def _compose(text: str) -> tuple[Any, Any]:
    yaml = YAML(typ="safe", pure=True)
    constructor, _ = yaml.get_constructor_parser(text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an anchor used again is allowed by YAML 1.2
        return constructor, constructor.composer.get_single_node()


def _explained(error: YAMLError, source: str, locate: Locate) -> ScenarioError:
    if not isinstance(error, MarkedYAMLError) or error.problem_mark is None:
        return ScenarioError(f"{source}: {' '.join(str(error).split())}.", "Write plain text in UTF-8.")
    what = error.problem or "this is not YAML 1.2"
    begun = error.context_mark
    if error.context and begun is not None and begun.line != error.problem_mark.line:
        what += f" ({error.context} that began in line {begun.line + 1})"
    remedy = "Indent with spaces, not tabs." if "'\\t'" in what else _INDENT
    return ScenarioError(f"{locate(error.problem_mark)}: {what}.", remedy)


class _Builder:
    """Turns the nodes of ruamel.yaml into ours, and counts them as if aliases were written out."""

    __slots__ = ("_constructor", "_locate", "_parts")

    def __init__(self, constructor: Any, locate: Locate) -> None:
        """Take what makes values of scalars, and what makes places of ruamel's marks."""
        self._constructor = constructor
        self._locate = locate
        self._parts = 0

    def build(self, node: Any, place: Place, depth: int) -> Node:
        """Return our node for one of ruamel's."""
        self._count(place, depth)
        kind = str(node.tag).removeprefix(_TAG)
        if isinstance(node, MappingNode) and kind == "map":
            return Node(dict(self._entries(node, depth)), place)
        if isinstance(node, SequenceNode) and kind == "seq":
            items = [self.build(n, self._locate(n.start_mark), depth + 1) for n in node.value]
            return Node(items, place)
        if isinstance(node, ScalarNode) and kind in _WORDS:
            return Node(node.value, place)
        if isinstance(node, ScalarNode) and kind in _PLAIN:
            return Node(self._number(node, place), place)
        problem = f"{place}: the tag {kind[:40]!r} is not used in scenarios."
        raise ScenarioError(problem, "Leave the tag (!) out.")

    def _count(self, place: Place, depth: int) -> None:
        self._parts += 1
        if depth > MAX_DEPTH or self._parts > MAX_PARTS:
            limit = f"{MAX_DEPTH} levels" if depth > MAX_DEPTH else f"{MAX_PARTS:,} values"
            problem = f"{place}: with its aliases written out the document has more than {limit}."
            raise ScenarioError(problem, "Use fewer aliases (*name), and none inside what it names.")

    def _entries(self, node: MappingNode, depth: int) -> Iterator[tuple[str, Node]]:
        seen: dict[str, Place] = {}
        for name, value in node.value:
            place = self._locate(name.start_mark)
            if not isinstance(name, ScalarNode):
                problem = f"{place}: a list or map cannot be a key."
                raise ScenarioError(problem, "Use a word as the key.")
            key = str(name.value)
            if key in seen:
                problem = f"{place}: key {key!r} is given twice, first in line {seen[key].line}."
                raise ScenarioError(problem, "Keep one of them.")
            if key == "<<":
                problem = f"{place}: merge keys (<<) are not part of YAML 1.2."
                raise ScenarioError(problem, "Use `extends:` to build on another scenario.")
            seen[key] = place
            yield key, self.build(value, place, depth + 1)

    def _number(self, node: ScalarNode, place: Place) -> Scalar:
        try:
            value: Scalar = self._constructor.construct_object(node)
        except ValueError:  # more digits than Python is willing to read
            value = HUGE
        if isinstance(value, bool) or value is None:
            return value
        shown = node.value if len(node.value) <= 40 else f"{node.value[:20]}… ({len(node.value)} digits)"
        if isinstance(value, float) and not math.isfinite(value):
            problem = f"{place}: {shown} is not a finite number."
            raise ScenarioError(problem, "Give a number that can be calculated with.")
        if isinstance(value, int) and abs(value) >= HUGE:
            problem = f"{place}: {shown} is a huge number: whole numbers must be below 2**63."
            raise ScenarioError(problem, "Give a smaller number, or put quotes round an identifier.")
        if isinstance(value, float) and value.is_integer() and abs(value) < EXACT_WHOLE:
            return int(value)
        return value
