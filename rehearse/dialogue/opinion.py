"""What a language model thinks of how an assistant speaks: an opinion, never a fact.

The model is asked for a number from 0 to 100 about each different answer, once. Its opinions stand in the
column `opinion_politeness` of the turns, 0 to 1; what it says without a number is no opinion (NaN).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rehearse.columns import Array
from rehearse.dialogue.phrases import Client, asked
from rehearse.dialogue.talk import NO_TEXT, Said

COLUMN = "opinion_politeness"
QUESTION = "How polite is this answer of a telephone service"
NUMBER = re.compile(r"\d+(?:\.\d+)?")
MOST = 100.0


@dataclass(frozen=True)
class Judge:
    """A language model with a question to ask about every answer."""

    client: Client
    question: str = QUESTION
    told: dict[str, float] = field(default_factory=dict, compare=False, repr=False)
    """What it thinks, by answer."""

    def opinions(self, said: Said) -> NDArray[np.float32]:
        """Return an opinion of each answer; NaN where nothing was said."""
        found = np.full(len(said.text), np.nan, dtype=np.float32)
        for row in np.flatnonzero((said.answer >= 0).any(axis=1) | (said.text != NO_TEXT)):
            own = said.domain.texts.get(int(said.text[row]))
            found[row] = self._of(said.domain.text(said.answer[row], "assistant") if own is None else own)
        return found

    def recall(self, opinions: Mapping[str, Array]) -> None:
        """Know what was thought of answers when a record was made."""
        thought = zip(opinions["reply"].tolist(), opinions[COLUMN].tolist(), strict=True)
        self.told.update({reply: float(number) for reply, number in thought})

    def _of(self, answer: str) -> float:
        if answer not in self.told:
            prompt = f"{self.question}, from 0 to {MOST:g}? Answer with the number alone: {answer}"
            number = NUMBER.search(asked(self.client, prompt, "world.settings.judge"))
            self.told[answer] = np.nan if number is None else min(float(number[0]), MOST) / MOST
        return self.told[answer]
