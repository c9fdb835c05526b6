"""Back from the words of a record to the numbers that they were written from.

`Domain.told` and `Domain.call` put acts and tool calls into words; these take them back, so that what an
assistant said can be said once more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rehearse.dialogue import menu
from rehearse.dialogue.acts import NO_ACT, NO_SLOT, NO_VALUE, OTHER, Act, code
from rehearse.dialogue.domain import ACT_BY_WORD, Domain
from rehearse.dialogue.talk import Reply, Talk

BEGINS = re.compile(r"(?:^| )([a-z_]+)\(")
"""Where an act begins in a text of several."""
NAMED = (Act.BOOK, Act.LOOK_UP)
"""Tools that are called for an entity by its name."""


def acts_in(domain: Domain, text: str) -> list[int]:
    """Return the acts of a text such as `inform(area=north) request(phone)`, as numbers."""
    starts = [match for match in BEGINS.finditer(text) if match[1] in ACT_BY_WORD]
    found: list[int] = []
    begin = 0
    while begin < len(starts):
        ways = list(_ways(domain, text, starts, begin))
        # A value may hold what looks like the next act: the first way that the domain knows counts.
        after, (slot, value) = next((way for way in ways if way[1][1] != OTHER), ways[0])
        found.append(int(code(ACT_BY_WORD[starts[begin][1]], slot, value)))
        begin = after
    return found


def _ways(
    domain: Domain, text: str, starts: list[re.Match[str]], begin: int
) -> Iterator[tuple[int, tuple[int, int]]]:
    """Go over what an act may be about, each with the number of the act that begins after it."""
    for after in range(begin + 1, len(starts) + 1):
        end = starts[after].start() if after < len(starts) else len(text)
        name, _, word = text[starts[begin].end() : end].removesuffix(")").partition("=")
        slot = domain.slot(name) if name in domain.slots else NO_SLOT
        yield after, (slot, NO_VALUE if slot == NO_SLOT else domain.value(slot, word))


def calls_in(domain: Domain, text: str) -> list[int]:
    """Return tool calls, as JSON holds them, as numbers."""
    calls: list[dict[str, Any]] = json.loads(text) if text else []
    return [number for call in calls for number in _call(domain, call)]


def _call(domain: Domain, call: Mapping[str, Any]) -> list[int]:
    tool, given, result = ACT_BY_WORD[call["tool"]], dict(call["with"]), call.get("result")
    name = domain.slots[domain.name]
    first = code(tool)
    if tool in NAMED:
        first = code(tool, domain.name, domain.value(domain.name, given.pop(name)))
    told = [
        code(Act.INFORM, slot, domain.value(slot, word))
        for slot, word in ((domain.slot(s), word) for s, word in given.items())
    ]
    done = [] if result is None else [_result(result)]
    return [int(number) for number in (first, *told, *done)]


def _result(result: str | int) -> Any:
    return code(ACT_BY_WORD[result]) if isinstance(result, str) else code(Act.FOUND, value=result)


def without_house(reply: Reply, talk: Talk, item: NDArray[np.int32]) -> Reply:
    """Return what assistants said without what the house said for them, which it will say again."""
    house = menu.speak(talk.domain, talk.belief, item)
    theirs = menu.item_of(talk.domain, reply.said) == item
    made, more = ((codes >= 0).sum(axis=1) for codes in (reply.calls, house.calls))
    # Where calls fill the whole row, those of the house were cut, and will be cut again.
    own = np.where(theirs | (made == reply.calls.shape[1]), made, made - more)
    left = np.arange(reply.calls.shape[1]) < own[:, None]
    said = np.where(theirs[:, None], reply.said, np.int32(NO_ACT))
    return replace(reply, said=said, calls=np.where(left, reply.calls, np.int32(NO_ACT)))
