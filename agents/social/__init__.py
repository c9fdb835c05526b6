"""What passes between people: social rules, and societies that run them without a decision model.

    from rehearse.agents.social import DeGroot, Society

    society = Society(networkx.karate_club_graph(), {"opinion": views}, rules=[DeGroot()])
    history = society.run(200)

rule                                    the common shape: settings, an order, `move`
averaging, confidence, voter            opinions: DeGroot, Friedkin–Johnsen, bounded confidence, copying
adoption, epidemic                      what spreads: thresholds, cascades, Bass, contagion
standing                                friends counted, and how central people are
rewiring, mouth                         ties that break and form; word about the model
meetings, drive                         the orders, and letting rules work for a tick
plugin, loading                         rules of your own; from a name to a rule
society                                 people, ties and rules by themselves
"""

from __future__ import annotations

from rehearse.agents.social.adoption import Bass, IndependentCascade, Threshold
from rehearse.agents.social.averaging import DeGroot, FriedkinJohnsen
from rehearse.agents.social.confidence import DeffuantWeisbuch, HegselmannKrause
from rehearse.agents.social.drive import Rules
from rehearse.agents.social.epidemic import SEIR, SIR, SIS, ReedFrost
from rehearse.agents.social.loading import load
from rehearse.agents.social.meetings import Meeting
from rehearse.agents.social.mouth import WordOfMouth
from rehearse.agents.social.plugin import rule
from rehearse.agents.social.rewiring import Rewiring
from rehearse.agents.social.rule import Rule, View
from rehearse.agents.social.society import Society
from rehearse.agents.social.standing import Centrality, Friends
from rehearse.agents.social.voter import Voter
from rehearse.scenario.society import Graph

__all__ = [
    "SEIR",
    "SIR",
    "SIS",
    "Bass",
    "Centrality",
    "DeGroot",
    "DeffuantWeisbuch",
    "FriedkinJohnsen",
    "Friends",
    "Graph",
    "HegselmannKrause",
    "IndependentCascade",
    "Meeting",
    "ReedFrost",
    "Rewiring",
    "Rule",
    "Rules",
    "Society",
    "Threshold",
    "View",
    "Voter",
    "WordOfMouth",
    "load",
    "rule",
]
