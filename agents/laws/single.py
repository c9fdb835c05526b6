"""One person who lives by laws: the crowd asked about a row by itself.

What a row comes to does not depend on who else is asked, so this gives the bits of the crowd.
"""

from __future__ import annotations

import numpy as np

from rehearse.agents.crowd import Crowd
from rehearse.agents.scalar import Answer, Proposal
from rehearse.contract import NOTHING, Decisions, End, Fault, Offer, Outcomes, Responses, Turn


def respond(crowd: Crowd, turn: Turn, proposal: Proposal) -> Answer:
    """Let the one person at the table respond to a proposal."""
    crowd.conduct.ask(turn)
    fault = Fault.RAISED if proposal.failed else Fault.NONE
    decisions = Decisions.of(np.array([proposal.slate]), latency=proposal.latency, fault=fault)
    said = crowd.respond(turn, _offer(proposal), decisions)
    taken = said.choice[0] != NOTHING
    utility = float(said.utility[0]) if taken else None
    return Answer(int(said.choice[0]), int(said.position[0]), utility, End(int(said.end[0])))


def remember(
    crowd: Crowd, turn: Turn, proposal: Proposal, answer: Answer, experience: float | None, reward: float
) -> None:
    """Let the one person at the table take in how it turned out."""
    fault = Fault.RAISED if proposal.failed else Fault.NONE
    decisions = Decisions.of(np.array([proposal.slate]), latency=proposal.latency, fault=fault)
    felt = np.float32(np.nan if experience is None else experience)
    one = np.zeros(1, dtype=np.float32)
    choice = np.array([answer.choice], dtype=np.int32)
    responses = Responses(choice, np.array([answer.position], np.int8), one, np.array([answer.end], np.int8))
    outcomes = Outcomes(
        reward=one + np.float32(reward),
        experience=one + felt,
        ideal=np.full(1, NOTHING, dtype=np.int32),
        regret=np.full(1, np.nan, dtype=np.float32),
        right=np.full(1, -1, dtype=np.int8),
    )
    crowd.remember(turn, decisions, responses, outcomes)


def _offer(proposal: Proposal) -> Offer:
    return Offer(
        attributes=np.array(proposal.attributes, dtype=np.float64)[None],
        features=np.zeros((1, 0), dtype=np.float32),
        available=None if proposal.available is None else np.array([proposal.available]),
        beside=None if proposal.beside is None else np.array([proposal.beside]),
    )
