"""Assistants by rule, for dialogues: one that fills slots, and one that remembers nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from rehearse.contract import Decisions, Ints, Requests, Stage
from rehearse.dialogue import menu
from rehearse.dialogue.acts import Act
from rehearse.dialogue.belief import Belief
from rehearse.dialogue.domain import Domain
from rehearse.dialogue.talk import Reply, Talk
from rehearse.errors import PolicyLoadError
from rehearse.policies.settings import checked
from rehearse.scenario.base import Strict


class SlotFillingSettings(Strict):
    """Settings of `slot-filling-v1`."""

    enough: Annotated[int, Field(ge=1)] = 3
    """Recommends once so few entities are left; before that it asks for the next slot."""
    questions: Annotated[int, Field(ge=0)] = 8
    """Slots it asks for at most, before it recommends whatever fits."""


class SlotFilling:
    """Asks for what is not known yet while many entities fit, then recommends; answers, books."""

    name = "slot-filling-v1"
    version = "1"
    foreign = False
    rationales = (
        "goodbye",
        "nothing heard",
        "booking",
        "another one",
        "a question",
        "a slot",
        "enough known",
        "more",
    )

    def __init__(self, settings: Mapping[str, Any], stage: Stage) -> None:
        given = checked(SlotFillingSettings, settings, self.name)
        self.enough, self.questions = given.enough, given.questions
        _check_items(self.name, stage)

    def decide(self, requests: Requests) -> Decisions:
        """Go through the rules, the first that holds counts."""
        talk = _talk(self.name, requests)
        item, why = self.choose(talk.domain, talk.belief)
        return Decisions.of(item, rationale=why, propensity=1.0)

    def choose(self, domain: Domain, belief: Belief) -> tuple[Ints, NDArray[np.int8]]:
        """Return an item for each dialogue, and which rule it follows from."""
        first = domain.informable
        entity, count = menu.next_match(domain, belief)
        venue = belief.venue >= 0
        told = (belief.known[:, : domain.constraints] != -1).sum(axis=1)
        constraint, missing = _unknown(belief, 0, domain.constraints)
        detail, lacking = _unknown(belief, domain.constraints, domain.informable)
        books = belief.did(Act.BOOK) | (belief.known[:, domain.constraints : domain.informable] != -1).any(
            axis=1
        )
        fresh = venue & belief.did(Act.INFORM) & ~domain.fit(belief.known, belief.venue)
        asked = (belief.asked & domain.requestable).any(axis=1)
        asks = missing & (count > self.enough) & (told < self.questions) & (~venue | fresh) & ~asked
        pending = books & venue & ~fresh & (belief.did(Act.BOOK) | (belief.booked != belief.venue))
        closes = belief.did(Act.BYE) | belief.did(Act.TRANSFER)
        refused = venue & ~fresh & belief.did(Act.NEGATE) & belief.asked[:, domain.name]
        done = venue & ~fresh & ~asked & ~belief.did(Act.INFORM) & ~belief.did(Act.NEGATE)
        rules = (
            (closes, first + menu.CLOSE),
            (belief.heard == 0, first + menu.REPEAT),
            (belief.did(Act.REQALTS) | refused, first + menu.ALTERNATIVE),
            (asked & venue & ~fresh, first + menu.ANSWER),
            (belief.asked[:, domain.name] & ~asks, first + menu.OFFER),
            (pending & lacking, detail),
            (pending, first + menu.BOOK),
            (asks, constraint),
            (done, first + menu.MORE),
            (np.ones(len(belief), dtype=np.bool_), first + menu.OFFER),
        )
        why = np.select([rule for rule, _ in rules], [0, 1, 3, 4, 6, 2, 2, 5, 7, 6], 6)
        item = np.select([rule for rule, _ in rules], [what for _, what in rules], first + menu.OFFER)
        del entity
        return item.astype(np.int32), why.astype(np.int8)


class ForgetfulSettings(Strict):
    """Settings of `forgetful-v1`: none."""


class Forgetful:
    """Recommends the first entity that fits what was said in this turn alone: a weak assistant."""

    name = "forgetful-v1"
    version = "1"
    foreign = False

    def __init__(self, settings: Mapping[str, Any], stage: Stage) -> None:
        checked(ForgetfulSettings, settings, self.name)
        _check_items(self.name, stage)

    def decide(self, requests: Requests) -> Decisions:
        """Answer questions about what it named last; else recommend."""
        talk = _talk(self.name, requests)
        domain, first = talk.domain, talk.domain.informable
        now = Belief.new(len(talk), domain).hear(talk.said, domain)
        belief = replace(now, venue=talk.belief.venue, booked=talk.belief.booked)
        answers = belief.did(Act.REQUEST) & (belief.venue >= 0)
        item = np.select(
            [belief.did(Act.BYE), answers, belief.did(Act.BOOK) & (belief.venue >= 0)],
            [first + menu.CLOSE, first + menu.ANSWER, first + menu.BOOK],
            first + menu.OFFER,
        ).astype(np.int32)
        said = menu.speak(domain, belief, item)
        reply = replace(Reply.silent(len(talk)), said=said.said, calls=said.calls)
        return replace(Decisions.of(menu.item_of(domain, said.said), propensity=1.0), reply=reply)


def _unknown(belief: Belief, start: int, stop: int) -> tuple[Ints, NDArray[np.bool_]]:
    """Return the first slot of some of which nothing is known, and for whom there is one."""
    unknown = belief.known[:, start:stop] == -1
    if not unknown.shape[1]:
        return np.zeros(len(belief), np.int32), np.zeros(len(belief), np.bool_)
    return (start + unknown.argmax(axis=1)).astype(np.int32), np.asarray(unknown.any(axis=1))


def _talk(name: str, requests: Requests) -> Talk:
    if requests.talk is None:
        problem = f"{name} was asked by people who say nothing."
        raise PolicyLoadError(problem, "Use it with the world assist-v1 and people.model callers-v1.")
    return requests.talk


def _check_items(name: str, stage: Stage) -> None:
    if stage.items[-len(menu.MOVES) :] != menu.MOVES:
        problem = f"{name} is an assistant, and this world is no dialogue."
        raise PolicyLoadError(problem, "Use it with the world assist-v1.")
