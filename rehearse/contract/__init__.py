"""The contract: what passes between people, world and decision model, and who must do what.

A turn is five steps, each on columns for a block of people at once. With n people in the block and
m items that the world can offer, slates of k:

    1. offer    World.offer(turn, people)                     -> Offer
    2. ask      Users.ask(turn, offer)                        -> Requests
    3. decide   Policy.decide(requests)                       -> Decisions
    4. respond  Users.respond(turn, offer, decisions)         -> Responses
    5. settle   World.settle(turn, people, offer, ...)        -> Outcomes

Then the users remember and the record keeps the turn. Nobody derives from a base class: an object
with the named attributes and methods is a World, Users or Policy. Row i of everything that passes
belongs to the same person; an answer for a row may depend on that row and the moment only.
"""

from rehearse.contract.codes import (
    NOTHING,
    Code,
    Codes,
    End,
    Fault,
    Flags,
    Intent,
    Ints,
    Singles,
    nothing_of,
    unanswered,
)
from rehearse.contract.feedback import Feedback
from rehearse.contract.roles import (
    Begins,
    Drifts,
    Learner,
    Meets,
    Policy,
    Publishes,
    Remembers,
    Users,
    Watcher,
    World,
)
from rehearse.contract.values import (
    Decisions,
    Exchange,
    Network,
    Offer,
    Outcomes,
    Requests,
    Responses,
    Stage,
    Turn,
)

__all__ = [
    "NOTHING",
    "Begins",
    "Code",
    "Codes",
    "Decisions",
    "Drifts",
    "End",
    "Exchange",
    "Fault",
    "Feedback",
    "Flags",
    "Intent",
    "Ints",
    "Learner",
    "Meets",
    "Network",
    "Offer",
    "Outcomes",
    "Policy",
    "Publishes",
    "Remembers",
    "Requests",
    "Responses",
    "Singles",
    "Stage",
    "Turn",
    "Users",
    "Watcher",
    "World",
    "nothing_of",
    "unanswered",
]
