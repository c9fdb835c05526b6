"""Scenarios: what people write, read with care and checked, before anything runs."""

from rehearse.scenario.base import Strict
from rehearse.scenario.load import Listed, catalogue, digest, from_yaml, load, to_yaml
from rehearse.scenario.model import Scenario
from rehearse.scenario.schema import json_schema
from rehearse.scenario.wrong import check

__all__ = [
    "Listed",
    "Scenario",
    "Strict",
    "catalogue",
    "check",
    "digest",
    "from_yaml",
    "json_schema",
    "load",
    "to_yaml",
]
