"""Counterfactuals of a whole society: the same people with the same luck, but for one thing.

A run and a second one, with one thing about people, events or ties changed, are laid side by side turn
by turn. As nobody's luck differs, every difference follows from the change.
"""

from __future__ import annotations

from rehearse.experiments.counterfactual.attribution import Lives, attribute
from rehearse.experiments.counterfactual.change import Change
from rehearse.experiments.counterfactual.making import counterfactual
from rehearse.experiments.counterfactual.values import Counterfactual, Moved, Share

__all__ = ["Change", "Counterfactual", "Lives", "Moved", "Share", "attribute", "counterfactual"]
