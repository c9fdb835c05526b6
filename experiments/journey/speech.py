"""A turn of a dialogue in prose: what was said, what came through, what the assistant did and answered."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from rehearse.experiments.journey.story import Step
from rehearse.experiments.report import words

_ACT = re.compile(r"(\w+)\(([^()]*)\)")


def spoken(step: Step) -> Iterator[str]:
    """Tell a turn in sentences."""
    said = step.words
    yield f"Says: “{said['said'] or '…'}”"
    if said["heard"] != said["meant"]:
        yield f"(meant {said['meant'] or 'nothing'})"
    for call in json.loads(said["calls"] or "[]"):
        yield f"The model calls {_call(call)}."
    if step.fault != "none":
        yield f"{words.FAULTS[step.fault].capitalize()}."
    elif said["reply"]:
        yield f"It answers: “{said['reply']}”"
    if step.right == 0 and step.ideal:
        yield f"To {words.plain(step.ideal)} would have brought the person on."


def in_short(goal: str) -> str:
    """Return a goal as a list: what it must be, what is to be known, and whether it is to be booked."""
    acts = _ACT.findall(goal)
    must = [what.replace("=", " ", 1) for act, what in acts if act == "inform"]
    ask = [what for act, what in acts if act == "request"]
    books = any(act == "book" for act, _ in acts)
    parts = [", ".join(must) or "anything"]
    parts += [f"to know {words.listed(ask)}"] if ask else []
    return "; ".join([*parts, *(["to book it"] if books else [])])


def _call(call: dict[str, object]) -> str:
    given = call.get("with")
    told = ", ".join(f"{name}={value}" for name, value in given.items()) if isinstance(given, dict) else ""
    result = f" → {call['result']}" if "result" in call else ""
    return f"{call['tool']}({told}){result}"
