"""The search for failure: where in a space of people, conditions, faults and drifts a model breaks.

space       the fields that may differ, from `search:` of the scenario, and the point where each stands
aims        the criterion that is aimed at, and how far a run is from failing it
searchers   who proposes points: at random, by evolution, or (`bayes`) with Optuna
trials      runs of scenarios, by the workers of sweeps, each made once and kept
region      which fields matter, and where each turns
shrinking   from what was found to the least that still fails
writing     what is left, as a scenario for the catalogue with its story
inspecting  what was found: whether it holds, where it ends, the least of it
conducting  the search from scenario to `Search`
entry       `rehearse.search`
results     what comes out
"""

from __future__ import annotations
