"""The people: who they are, what they want and remember, how they act, whom they know.

persona, distributions, copula, source      what a person can be, and the laws and tables behind it
population                                  draws people as columns
ties, graph, influence                      who knows whom, and what passes between them
features, appraisal, choice                 how a person asks, sees what is proposed, and chooses
patience, goals, memory                     what a person has left, wants and remembers
crowd                                       all of it together: the engine's `Users`
user, agentset, model                       the same people as agents of a Mesa model
attributes, order, luck                     what their classes annotate, how they are shuffled and draw
cast                                        people written in Python, who join a model without a scenario
"""

from __future__ import annotations

from rehearse.agents.persona import MEANINGS, TRAITS

__all__ = ["MEANINGS", "TRAITS"]
