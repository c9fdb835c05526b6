"""Words and numbers for people: how reports and journeys name things and write quantities."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import datetime, timedelta

ENDS = {
    "goal_met": "goal met",
    "user_stop": "moved on",
    "abandoned": "gave up",
    "infeasible": "nothing fitted",
    "turn_cap": "ran out of turns",
    "time_budget": "ran out of time",
    "policy_stop": "the model ended it",
    "transferred": "handed over",
    "guard": "stopped by a guard",
    "policy_error": "left without an answer",
    "infra_error": "infrastructure failed",
    "none": "cut short",
}
"""Why a session ended, in two or three words; the order is that of the charts."""

INTENTS = {
    "first": "turned to the model",
    "another": "asked for something else",
    "more": "asked for more",
    "retry": "asked again",
}

FAULTS = {
    "none": "",
    "raised": "the model raised an error",
    "wrong_shape": "the model's answer had the wrong shape",
    "not_a_number": "the model's answer was not a number",
    "unknown_action": "the model named something that does not exist",
    "too_slow": "the model's answer came after the deadline",
    "injected": "the call was made to fail by the scenario",
    "refused": "the model was not asked: an open circuit, a limit or a full queue",
    "unreached": "the infrastructure between person and model failed",
    "forbidden": "the model tried what the sandbox does not allow",
    "crashed": "the process of the model ended by itself",
    "hung": "the model gave no answer and was ended",
}

COMINGS = {
    "schedule": "when the scenario says so",
    "self": "unprompted",
    "friends": "because of friends who are here",
}
"""Why somebody arrived or came back."""

LEAVINGS = {
    "chance": "for reasons of their own",
    "dissatisfaction": "dissatisfied",
    "distrust": "out of distrust",
    "friends": "because friends had left",
}
"""Why somebody left."""

VERDICTS = {
    "pass": ("✓", "Pass"),
    "fail": ("✗", "Fail"),
    "unsure": ("?", "Unsure"),
    "not completed": ("■", "Not completed"),
}
"""Each verdict's symbol and word, so that colour never speaks alone."""

ONE_TURN = {"turn_cap": "went without"}
"""Where a session has one turn alone, nobody runs out of them."""


def ended(why: str, max_turns: int) -> str:
    """Return why a session ended, in two or three words."""
    return (ONE_TURN if max_turns == 1 else ENDS).get(why, ENDS[why])


MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)

MISSING = "–"


def whole(value: float | None) -> str:
    """Return a count with thousands separated: 12,345."""
    return MISSING if _absent(value) else f"{round(float(value or 0)):,}"


def percent(value: float | None, digits: int = 1) -> str:
    """Return a share as a percentage: .714 becomes 71.4 %."""
    if _absent(value):
        return MISSING
    return f"{_no_negative_zero(100.0 * float(value or 0), digits):.{digits}f} %"


def number(value: float | None, significant: int = 3) -> str:
    """Return a number with at most so many significant digits, without an exponent for everyday sizes."""
    if _absent(value):
        return MISSING
    x = float(value or 0)
    if x == 0.0:
        return "0"
    size = math.floor(math.log10(abs(x)))
    if size >= 15 or size < -6:
        return f"{x:.{significant - 1}e}"
    digits = max(0, significant - 1 - size)
    text = f"{_no_negative_zero(x, digits):,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def fixed(value: float | None, digits: int = 2) -> str:
    """Return a number with so many decimals, for columns that line up."""
    return MISSING if _absent(value) else f"{_no_negative_zero(float(value or 0), digits):,.{digits}f}"


def milliseconds(value: float | None) -> str:
    """Return a time given in milliseconds in the unit that reads best: 340 ms, 1.6 s, 3 min."""
    if _absent(value):
        return MISSING
    ms = float(value or 0)
    return f"{number(ms)} ms" if ms < 1000.0 else seconds(ms / 1000.0)


def seconds(value: float | None) -> str:
    """Return a time given in seconds in the unit that reads best."""
    if _absent(value):
        return MISSING
    s = float(value or 0)
    if s < 1.0:
        return f"{number(1000.0 * s)} ms"
    for limit, unit, size in ((120.0, "s", 1.0), (7200.0, "min", 60.0)):
        if s < limit:
            return f"{number(s / size)} {unit}"
    return f"{number(s / 3600.0)} h"


def moment(text: str) -> str:
    """Return an ISO 8601 time as people write it: 23 November 2026, 04:15 UTC."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return text
    zone = "UTC" if when.utcoffset() == timedelta(0) else when.strftime("%z")
    return f"{when.day} {MONTHS[when.month - 1]} {when.year}, {when:%H:%M} {zone}".strip()


def unbroken(text: str) -> str:
    """Return a text whose numbers are not parted from their units at the end of a line."""
    return re.sub(r"(?<=\d) (?=%|ms\b|s\b|points\b|turns?\b)", "\u00a0", text)


def plural(count: int, noun: str, many: str = "") -> str:
    """Return a count and its noun: 1 session, 12 sessions."""
    return f"{whole(count)} {noun if count == 1 else many or noun + 's'}"


def units(count: int, unit: str) -> str:
    """Return a count of a unit of time: 1 day, 12 days, 3 shifts of 8 hours."""
    return plural(count, unit, several(unit))


def several(unit: str) -> str:
    """Return the plural of a unit of time."""
    noun, of, rest = unit.partition(" of ")
    changed = f"{noun[:-1]}ie" if noun.endswith("y") and noun[-2:-1] not in "aeiou" else noun
    return f"{changed}s{of}{rest}"


def title(name: str) -> str:
    """Return a name such as `goal_completion` as it stands at the head of a sentence."""
    words = plain(name)
    return words[:1].upper() + words[1:]


def lowered(sentence: str) -> str:
    """Return a sentence as it goes on after another word."""
    return sentence[:1].lower() + sentence[1:]


def plain(name: str) -> str:
    """Return a name such as `goal_completion` as words."""
    return name.replace("_", " ").strip()


def listed(names: Iterable[str], last: str = "and") -> str:
    """Return names as a list in a sentence: a, b and c."""
    words = list(names)
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def _absent(value: float | None) -> bool:
    return value is None or not math.isfinite(value)


def _no_negative_zero(value: float, digits: int) -> float:
    return round(value, digits) + 0.0
