"""The pytest plug-in: `pytest --rehearse-suite smoke --rehearse-policy REF`, a test a criterion.

A scenario is run when the first of its tests is; the others look at the same run. Without these options
it does nothing, and nothing of Rehearse is imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer the options of a suite."""
    group = parser.getgroup("rehearse", "rehearsing a decision model")
    group.addoption(
        "--rehearse-suite", metavar="SUITE", help="Run a suite of the catalogue, a test a criterion."
    )
    group.addoption("--rehearse-policy", metavar="REF", help="The model. Default: each scenario's own.")
    group.addoption(
        "--rehearse-only", metavar="WORD", action="append", help="A name, category or layer to keep."
    )
    group.addoption("--rehearse-catalogue", metavar="DIR", help="Of your own scenarios (./catalogue).")
    group.addoption("--rehearse-out", metavar="DIR", help="The folder of records and page (suites/…).")
    group.addoption(
        "--rehearse-unsure",
        choices=("fail", "skip"),
        default="fail",
        help="What a criterion is that the evidence does not decide.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Take part where a suite is asked for, and only there."""
    if config.getoption("--rehearse-suite"):
        from rehearse.experiments.suite_tests import Rehearsals

        config.pluginmanager.register(Rehearsals(config), "rehearse-suite")
