"""Journeys: one person's life in words, and what it would have been with one answer changed.

    from rehearse.experiments import journey
    print(journey.tell(record, user=42).text())
    print(journey.what_if(record, user=42, change="tick=3,turn=1,action=train").text())

What people said and got stands in the record. Their inner life (memory, goals, whom they listened
to) does not: it is lived again, by replaying the person's society with somebody watching.
"""

from __future__ import annotations

from rehearse.experiments.journey.story import Journey, Life, Moment, Step
from rehearse.experiments.journey.telling import tell
from rehearse.experiments.journey.whatif import Change, WhatIf, what_if

__all__ = ["Change", "Journey", "Life", "Moment", "Step", "WhatIf", "tell", "what_if"]
