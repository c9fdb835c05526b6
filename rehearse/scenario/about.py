"""What a catalogue says about a scenario: whose it is, which risks it covers, what is expected of it.

    about:
      category: recommendation
      owner: Growth team
      layer: rough
      risk: [faults, overload]
      rationale: What slow and failing answers cost in trust, and whether it comes back.
      suites: [release, stress]
      references: {greedy-v1: pass, random-v1: fail}
      reduced: {replicas: 5}
      last_audited: 2026-11-23

Nothing of it determines a run: it is no part of a digest, and a scenario does not get it from the one that
it extends.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field

from rehearse.scenario.base import Strict

Layer = Literal["calm", "changing", "rough", "hostile"]
LAYERS: dict[Layer, str] = {
    "calm": "an ordinary week: nothing goes wrong",
    "changing": "people, tastes, prices or the model itself change while it runs",
    "rough": "noise, scarcity, load, slow or failing answers",
    "hostile": "people, rivals or parts that work against the model",
}
"""The layers of a catalogue, the mildest first."""

Risk = Literal[
    "bad-answers",
    "bad-data",
    "churn",
    "cold-start",
    "collusion",
    "contagion",
    "drift",
    "faults",
    "feedback-loop",
    "gaming",
    "harm",
    "homogeneity",
    "misunderstanding",
    "overload",
    "overspending",
    "rollout",
    "scarcity",
    "short-sightedness",
    "unfairness",
]
RISKS: dict[Risk, str] = {
    "bad-answers": "the answers do not serve people",
    "bad-data": "what the model sees is noisy, stale, missing or wrong",
    "churn": "people leave and do not come back",
    "cold-start": "new people or items of which nothing is known",
    "collusion": "models that learn from one another end where nobody wanted them",
    "contagion": "what happens to one passes on to friends",
    "drift": "the world or its people become others than the model was made for",
    "faults": "calls that fail, answers that cannot be used",
    "feedback-loop": "the model learns from what it caused",
    "gaming": "people or rivals answer to the rule instead of to its purpose",
    "harm": "a wrong answer does damage",
    "homogeneity": "everybody is shown the same",
    "misunderstanding": "what people mean is lost on the way to the model",
    "overload": "answers come late, people wait",
    "overspending": "an answer costs more than it brings",
    "rollout": "a new version that is worse takes over",
    "scarcity": "places, stock or workers do not suffice",
    "short-sightedness": "what pleases now costs later",
    "unfairness": "some groups are served worse than others",
}
"""The vocabulary of risks; where no scenario covers one, an audit says so."""

SUITES: dict[str, str] = {
    "smoke": "minutes, on every change: each scenario at its reduced size",
    "release": "before a version ships: each scenario as it is written",
    "stress": "what is rough and hostile, as it is written",
}
"""The suites that are usual; a catalogue may have others."""

Expected = Literal["pass", "fail", "unsure"]
Word = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[a-z][a-z0-9\-]*$")]


class About(Strict):
    """Whose scenario it is, what it is for, and what is known of it."""

    category: str = ""
    """What is decided, in a word: recommendation, lending, triage, pricing, assistance."""
    owner: str = ""
    """Who answers questions about it and keeps it up to date."""
    layer: Layer | None = None
    """How rough it is: calm, changing, rough or hostile."""
    risk: tuple[Risk, ...] = ()
    """Which risks it covers, of the vocabulary."""
    rationale: str = ""
    """Why it is in the catalogue."""
    suites: tuple[Word, ...] = ()
    """Which suites run it: smoke, release, stress, or others of your own."""
    references: dict[str, Expected] = {}
    """The verdicts that policies must get which are known, by reference, at the reduced size."""
    reduced: dict[str, Any] = {}
    """Dotted paths and values: what is changed to have a verdict within seconds."""
    needs_data: bool = False
    """Whether it cannot be run without a table of your own (`--data`)."""
    last_audited: date | None = None
    """When somebody last looked at whether all this still holds."""
    audited_as: str = ""
    """The beginning of the digest of what it said then; `rehearse catalogue audit --stamp` writes both."""
    retired: str = ""
    """Why it is no longer used; it is kept, but not listed."""
