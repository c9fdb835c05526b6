"""Python behaviour through handles against plain Mesa agents: the same programs, in one process.

    boltzmann    the wealth model of Mesa's tutorial as it stands there: whoever has a coin gives one to
                 somebody at random, with `self.random.choice(self.model.agents)`
    opinions     each, one after another in a random order, moves towards what the society thinks
    attributes   the same without the shuffle: next to nothing but reading and writing attributes

`handles_over_mesa` is the ratio of the program that fares worst. An attribute of a handle is read from
and written to a column, which takes longer than in an object of its own; sets, shuffles and choices take
less. Both sides run on the same seed, and must end with the same numbers, person by person.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from types import FunctionType
from typing import Any

import mesa

from rehearse.agents.model import Rehearsal
from rehearse.agents.user import User

PEOPLE = 10_000
ROUNDS = 3


def conform(self: Any) -> None:
    """Move towards what the society thinks."""
    self.opinion += 0.1 * (self.model.mean - self.opinion)


def exchange(self: Any) -> None:
    """Give a coin to somebody, if there is one to give."""
    if self.wealth > 0:
        other = self.random.choice(self.model.agents)
        other.wealth += 1
        self.wealth -= 1


def own(behaviour: Callable[[Any], None]) -> FunctionType:
    """Return a copy of a function: Python adapts its code to the class that it meets, and must not to two."""
    return FunctionType(behaviour.__code__.replace(), globals(), behaviour.__name__)


class Plain(mesa.Agent):
    """A person as Mesa has them."""

    def __init__(self, model: Any, opinion: float) -> None:
        """Begin with an opinion and a coin."""
        super().__init__(model)
        self.opinion, self.wealth = opinion, 1

    conform, exchange = own(conform), own(exchange)


class Handle(User):
    """The same person as a handle on columns."""

    opinion: float = 0.0
    wealth: int = 1

    def __init__(self, model: Rehearsal, opinion: float) -> None:
        """Begin with an opinion and a coin."""
        super().__init__(model)
        self.opinion = opinion

    conform, exchange = own(conform), own(exchange)


def _model(kind: type[Any], agent: type[Any]) -> Any:
    model = kind(rng=1)
    agent.create_agents(model, PEOPLE, [i / PEOPLE for i in range(PEOPLE)])
    model.mean = 0.5
    return model


PROGRAMS: dict[str, Callable[[Any], object]] = {
    "boltzmann": lambda model: model.agents.shuffle_do("exchange"),
    "opinions": lambda model: [model.agents.shuffle_do("conform") for _ in range(10)],
    "attributes": lambda model: [model.agents.do("conform") for _ in range(10)],
}


def _seconds(program: Callable[[Any], object], model: Any) -> float:
    began = time.process_time()
    program(model)
    return time.process_time() - began


def measure() -> dict[str, float]:
    """Return the time through handles over that of Mesa's own objects: at worst, and for each program."""
    times: dict[str, list[float]] = {}
    ours, theirs = _model(Rehearsal, Handle), _model(mesa.Model, Plain)
    for name, program in PROGRAMS.items():
        rounds = [(_seconds(program, ours), _seconds(program, theirs)) for _ in range(ROUNDS)]
        times[name] = [min(each) for each in zip(*rounds, strict=True)]
    state = [[(a.opinion, a.wealth) for a in model.agents] for model in (ours, theirs)]
    if state[0] != state[1]:
        problem = "the two programs did not do the same"
        raise AssertionError(problem)
    ratios = {f"handles_over_mesa_{name}": mine / other for name, (mine, other) in times.items()}
    return {"handles_over_mesa": max(ratios.values()), **ratios}


if __name__ == "__main__":
    print(json.dumps({name: round(ratio, 3) for name, ratio in measure().items()}))
