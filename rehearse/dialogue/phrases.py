"""From acts to words and back: a template for every act, or a language model where one is given.

A template file says for `user` and `assistant`, and for each act, how it is put: one sentence, or one a
slot, with `_` for all other slots and `dontcare` for a slot that may be anything. `{slot}` and `{value}`
stand for what the act is about. What templates put into words they read back as the very same acts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from rehearse.dialogue.acts import Act, DialogueAct
from rehearse.errors import ScenarioError, UserError, did_you_mean

Put = str | Mapping[str, str]
OTHERS, WHATEVER = "_", "dontcare"
BY = ("user", "assistant")


class Wording(Protocol):
    """Whoever puts acts into words, and reads words; `Templates` is one."""

    def text(self, acts: Sequence[DialogueAct], by: str) -> str:
        """Return acts in words, as `user` or `assistant` puts them."""
        ...

    def read(self, text: str, by: str) -> list[DialogueAct]:
        """Return the acts in a text."""
        ...


class Client(Protocol):
    """A language model, as far as it is needed here."""

    def complete(self, prompt: str) -> str:
        """Return what follows on a prompt."""
        ...


@dataclass(frozen=True)
class Templates:
    """Sentences with places for slots and values."""

    put: Mapping[str, Mapping[str, Put]]
    slots: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse words that are no acts, with a ScenarioError that names the nearest ones."""
        known = [act.word for act in Act]
        for by in BY:
            for word in self.put.get(by, {}):
                if word not in known:
                    problem = f"the templates of {by} put an act {word!r} into words."
                    raise ScenarioError(problem, did_you_mean(word, known))

    def text(self, acts: Sequence[DialogueAct], by: str) -> str:
        """Return a sentence an act, one after the other."""
        return " ".join(
            _sentence(self._template(act, by).format(slot=act.slot, value=act.value)) for act in acts
        )

    def read(self, text: str, by: str) -> list[DialogueAct]:
        """Return the acts of the sentences that the templates know; others are passed over."""
        acts: list[DialogueAct] = []
        pieces = re.split(r"(?<=[.?!]) ", text.strip())
        start = 0
        while start < len(pieces):
            stop, act = self._longest(pieces, start, by)
            acts += [] if act is None else [act]
            start = stop
        return acts

    def _longest(self, pieces: list[str], start: int, by: str) -> tuple[int, DialogueAct | None]:
        """Return what the first sentences say: a value may hold what looks like the end of one."""
        for stop in range(start + 1, len(pieces) + 1):
            said = " ".join(pieces[start:stop])
            for pattern, act in self._patterns[by]:
                found = pattern.fullmatch(said)
                if found:
                    value = found.groupdict().get("value", act.value)
                    return stop, DialogueAct(act.intent, act.slot, value)
        return start + 1, None

    def _template(self, act: DialogueAct, by: str) -> str:
        put = self.put.get(by, {}).get(act.intent, act.intent)
        if isinstance(put, str):
            return put
        if act.value == WHATEVER and WHATEVER in put:
            return put[WHATEVER]
        return put.get(act.slot, put.get(OTHERS, act.intent))

    @cached_property
    def _patterns(self) -> dict[str, list[tuple[re.Pattern[str], DialogueAct]]]:
        found: dict[str, list[tuple[re.Pattern[str], DialogueAct]]] = {}
        for by in BY:
            flat = [pair for word, put in self.put.get(by, {}).items() for pair in self._known(word, put)]
            # Whatever names no value is tried first, so that no value swallows it.
            flat.sort(key=lambda pair: "{value}" in pair[0])
            found[by] = [(_pattern(template, act), act) for template, act in flat]
        return found

    def _known(self, word: str, put: Put) -> list[tuple[str, DialogueAct]]:
        """Return every sentence that may stand for an act: the one of its slot, and the one of all slots."""
        if isinstance(put, str) and "{slot}" not in put:
            return [(put, DialogueAct(word))]
        ways = {OTHERS: put} if isinstance(put, str) else put
        found = [
            (ways[key], DialogueAct(word, slot))
            for slot in self.slots
            for key in (slot, OTHERS)
            if key in ways
        ]
        return found + [
            (ways[WHATEVER], DialogueAct(word, slot, WHATEVER)) for slot in self.slots if WHATEVER in ways
        ]


@dataclass(frozen=True)
class Model:
    """A language model that puts acts into words and reads them; the templates tell it what is meant.

    The same is asked of it once, so that a model under test and the record are told the same words.
    """

    client: Client
    templates: Templates
    told: dict[str, str] = field(default_factory=dict, compare=False, repr=False)
    """What it answered, by prompt."""

    def text(self, acts: Sequence[DialogueAct], by: str) -> str:
        """Return acts in the words of the model."""
        return self._ask(self._put(acts, by)).strip()

    def read(self, text: str, by: str) -> list[DialogueAct]:
        """Return the acts that the model finds; what it says that is no list of acts is passed over."""
        try:
            told = json.loads(self._ask(self._read(text, by)))
            return [
                DialogueAct(str(a["intent"]), str(a.get("slot", "")), str(a.get("value", ""))) for a in told
            ]
        except (ValueError, TypeError, KeyError, AttributeError):
            return []

    def recall(self, acts: Sequence[DialogueAct], by: str, text: str, *, own: bool) -> None:
        """Know of a record what the model said of these acts, or found in a text of somebody's own."""
        if own:
            found = [{"intent": act.intent, "slot": act.slot, "value": act.value} for act in acts]
            self.told.setdefault(self._read(text, by), json.dumps(found))
        else:
            self.told.setdefault(self._put(acts, by), text)

    def _put(self, acts: Sequence[DialogueAct], by: str) -> str:
        plain = self.templates.text(acts, by)
        return f"Say this as the {by} of a telephone service, adding nothing: {plain}"

    def _read(self, text: str, by: str) -> str:
        known = ", ".join(act.word for act in Act)
        return (
            f"Return a JSON list of objects with intent, slot and value. Intents: {known}. "
            f"Slots: {', '.join(self.templates.slots)}. What the {by} said: {text}"
        )

    def _ask(self, prompt: str) -> str:
        """Return what the model says; UserError where it fails."""
        if prompt not in self.told:
            self.told.setdefault(prompt, asked(self.client, prompt, "world.settings.client"))
        return self.told[prompt]


def asked(client: Client, prompt: str, setting: str) -> str:
    """Return what a language model says to a prompt; UserError that names its setting where it fails."""
    try:
        return str(client.complete(prompt))
    except Exception as error:
        problem = f"the language model failed: {type(error).__name__}: {error}."
        raise UserError(problem, f"Mend {setting}, or leave it out.") from error


def _sentence(words: str) -> str:
    return words if words.endswith((".", "?", "!")) else f"{words}."


def _pattern(template: str, act: DialogueAct) -> re.Pattern[str]:
    said = _sentence(template.format(slot=act.slot, value="\0"))
    return re.compile(re.escape(said).replace("\0", "(?P<value>.+)"), re.IGNORECASE)
