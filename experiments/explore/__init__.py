"""Exploring a scenario live in the browser: sliders, the graph, the series (extra `viz`).

dials       which numbers of a scenario can be turned, and how far
drawing     the graph and the series as SVG
page        the page itself: the door to Solara and Mesa's SolaraViz
"""
