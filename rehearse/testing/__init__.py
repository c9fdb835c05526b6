"""Conformance tests for worlds and policies: each broken rule of the contract is a named sentence."""

from __future__ import annotations

from rehearse.testing.policies import check_policy, made_requests
from rehearse.testing.worlds import check_world

__all__ = ["check_policy", "check_world", "made_requests"]
