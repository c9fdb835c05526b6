"""Sweeps: a plan, the runs that it asks for, and one table of what they gave.

plan       what somebody writes: a scenario, axes, a design, seeds
designs    the points of the axes that a design visits
listing    from a plan to named runs, each with all that determines it
resolving  the scenario of every point, and what determines its runs
functions  Python functions instead of scenarios
measuring  one run, held in memory and measured
working    what a worker does with its share
crew       workers: processes that are warm, fed, and replaced when they die
keeping    the folder: a line a run, written once; the table made of them
conducting a sweep from plan to table
pilot      what a sweep would take
results    what comes out: `Sweep`
"""

from __future__ import annotations
