"""What emerges in a society: plain functions of values, ties and adoptions, for a notebook or every tick.

opinions    polarisation, bimodality, clusters, Esteban and Ray's index: how opinions lie
mixing      assortativity, ties within groups, segregation, dissimilarity: who is tied to whom
adoption    who adopted from whom: sizes, depths, structural virality

Wherever `ties` are asked for, a networkx graph will do (`mixing.ties_of`). Where values have a shape
(…, n), the last axis is the people and all before it are societies that are measured apart. What
people consume and early warnings are read off the record: `rehearse.experiments.metrics`.
"""

from __future__ import annotations

from rehearse.agents.emergence.adoption import Cascades, cascades, credit
from rehearse.agents.emergence.mixing import (
    assortativity,
    dissimilarity,
    mixing_matrix,
    newman,
    same_group_friends,
    ties_of,
    within,
    within_by_chance,
)
from rehearse.agents.emergence.opinions import (
    Clusters,
    bimodality,
    clusters,
    esteban_ray,
    opinion_groups,
    polarisation,
)

__all__ = [
    "Cascades",
    "Clusters",
    "assortativity",
    "bimodality",
    "cascades",
    "clusters",
    "credit",
    "dissimilarity",
    "esteban_ray",
    "mixing_matrix",
    "newman",
    "opinion_groups",
    "polarisation",
    "same_group_friends",
    "ties_of",
    "within",
    "within_by_chance",
]
