"""Pictures of results: each is a chart with a name, drawn from one specification wherever it is looked at.

    found = rehearse.sweep("plan.yaml")
    found.charts()                                     # the names of its charts
    found.charts()["regret-by-policy"].save("regret.svg")

chart          a chart: its specification and data, saved as SVG, PNG, HTML, CSV or JSON
alone          what a specification of a report needs to stand by itself: colours, width, legend, title
drawing        the door to vl-convert, which draws SVG and PNG
showing        how results show themselves in a notebook and in a terminal
markup         tables in HTML
plots          the charts that no report draws: forests, lines along an axis, heat maps, bars
of_runs        the charts and tables of a run: those of its report
of_sweeps      those of a sweep
of_searches    those of a search for failure
of_differences those of comparisons, counterfactuals and estimates
"""

from __future__ import annotations
