"""What a scenario says of people that a model of people has no use for is answered, not passed over."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter

from rehearse.errors import ScenarioError
from rehearse.scenario.people import People

PLAIN = People()
SOCIETY = ("society.graph", "society.layers", "society.influences", "society.rules")
LIFE = ("arrivals", "churn", "returns")


def refuse(people: People, paths: Iterable[str], remedy: str) -> None:
    """Raise ScenarioError where a scenario says something under one of these paths of `people`."""
    for path in paths:
        if attrgetter(path)(people) != attrgetter(path)(PLAIN):
            problem = f"people.{path} is given, and people.model {people.model} knows nothing of it."
            raise ScenarioError(problem, remedy)
