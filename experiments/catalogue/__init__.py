"""The catalogue, looked after: what its scenarios are held to, what an audit finds, adding and retiring.

references  the verdicts of policies that are known, measured and held against what is expected
audit       what is stale, redundant, toothless or not covered, and what a search proposes
shelf       adding, retiring and stamping scenarios; what differs between two
"""

from __future__ import annotations
