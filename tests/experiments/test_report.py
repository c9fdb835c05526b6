from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearse.columns import Columns
from rehearse.errors import NotFoundError
from rehearse.experiments import api
from rehearse.experiments.metrics import find
from rehearse.experiments.report import facts, flow, for_script, parts, words, write
from rehearse.experiments.report.gauge import edges, gauge
from rehearse.record.reading import RunRecord

EVIL = "</script><script>document.title='EVIL'</script><img src=x onerror=alert(1)> & \"x\" {{ 7*7 }}"
GROUPS = ["<b>low</b>", 'mid\'dle "x"</script>', "high\u2028income"]
CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))),
    None,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a small run of `travel` with names that try to break the page."""
    settings = {"title": EVIL, "assumptions": [EVIL], "people.groups.names": GROUPS}
    out = tmp_path_factory.mktemp("runs") / "evil"
    return api.run("travel", users=40, ticks=14, replicas=3, out=out, settings=settings).folder


@pytest.fixture(scope="module")
def record(folder):
    """Return the record of that run."""
    return RunRecord(folder)


@pytest.fixture(scope="module")
def page(folder):
    """Return its report."""
    return write(folder).read_text(encoding="utf-8")


class Tags(HTMLParser):
    """Collects the tags of a page with their attributes, and the text of scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.texts.append("")

    def handle_data(self, data):
        if self.texts:
            self.texts[-1] += data

    def all(self, tag):
        return [
            (found, text) for (name, found), text in zip(self.tags, self.texts, strict=True) if name == tag
        ]


def embedded(page):
    """Return what the page's charts are drawn from."""
    return next(json.loads(text) for attrs, text in Tags(page).all("script") if attrs.get("id") == "charts")


def test_the_page_asks_the_network_for_nothing(page):
    """No tag loads anything, styles import nothing, and a policy forbids every request."""
    tags = Tags(page)
    loading = [
        value
        for _, attrs in tags.tags
        for name, value in attrs.items()
        if name in {"src", "srcset", "href", "data", "action", "poster"}
        and not value.startswith(("#", "data:"))
    ]
    assert loading == []
    styles = " ".join(text for _, text in tags.all("style"))
    assert "@import" not in styles
    assert "url(" not in styles
    policy = next(
        a["content"] for a, _ in tags.all("meta") if a.get("http-equiv") == "Content-Security-Policy"
    )
    assert "default-src 'none'" in policy
    assert "http" not in policy
    assert "sourceMappingURL" not in page


def test_names_from_a_scenario_stay_text(page):
    """Markup in titles, groups and assumptions becomes neither a tag nor a script nor a template."""
    tags = Tags(page)
    assert len(tags.all("script")) == 5
    assert tags.all("img") == []
    assert "low" not in [text for _, text in tags.all("b")]
    assert "{{ 7*7 }}" in page
    drawn = json.dumps(embedded(page)["specs"], ensure_ascii=False)
    assert all(json.dumps(name, ensure_ascii=False)[1:-1] in drawn for name in GROUPS)


@given(
    st.recursive(
        st.text() | st.integers() | st.none(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_embedded_json_is_safe_and_true(data):
    """What is embedded in a script element reads back the same and holds no character that could end it."""
    text = for_script(data)
    assert json.loads(text) == data
    assert not set("<>&\u2028\u2029") & set(text)


def test_every_chart_has_a_place_and_a_description(page):
    """The page holds one place for each chart, and each chart can be read by those who cannot see it."""
    specs = embedded(page)["specs"]
    places = [attrs["id"] for attrs, _ in Tags(page).all("div") if attrs.get("class") == "plot"]
    assert sorted(specs) == sorted(places)
    assert len(specs) > 10
    assert all(len(spec["description"]) > 20 for spec in specs.values())


def test_the_page_says_each_criterion_in_words(page, record):
    """Every criterion stands there with its symbol, its word and its sentence, not in colour alone."""
    text = " ".join(re.sub(r"<[^>]+>", " ", page.split("<noscript>")[0]).replace("\u00a0", " ").split())
    assert record.verdict["criteria"]
    for criterion in record.verdict["criteria"]:
        symbol, word = words.VERDICTS[criterion["verdict"]]
        assert f"{symbol} {word}" in text
        assert " ".join(criterion["sentence"].replace("&", "&amp;").split()) in text.replace(
            "&lt;", "<"
        ).replace("&gt;", ">").replace("&#34;", '"').replace("&#39;", "'")


def test_the_page_tells_assumptions_limitations_and_provenance(page, record):
    """What a verdict rests on is on the page, the digest with it."""
    assert all(text in page for text in record.scenario.limitations)
    assert record.manifest["digest"] in page
    assert '<html lang="en">' in page
    tags = Tags(page)
    assert len(tags.all("caption")) == len(tags.all("table")) >= 2


def test_the_data_of_a_report_stay_small(page):
    """However much was recorded, the page holds little besides the libraries that draw it."""
    libraries = sum(len(text) for _, text in Tags(page).all("script") if len(text) > 40_000)
    assert len(page) - libraries < 500_000


def test_means_over_time_are_the_mean_of_replicas(record):
    """A point of a chart over time is the mean of the replicas' means, between their lowest and highest."""
    series = facts.over_time(record, ["acceptance"], 1)["acceptance"]
    found = record.query(
        "SELECT avg((choice >= 0)::INT) AS mean FROM turns WHERE tick = 12 AND action >= 0 GROUP BY replica"
    )
    means = found.numbers("mean")
    at = series.tick.index(12)
    assert series.mean[at] == pytest.approx(means.mean())
    assert (series.least[at], series.most[at]) == (means.min(), means.max())


def test_wider_buckets_weigh_turns_alike(record):
    """Over buckets of several ticks a replica's mean counts every answer once."""
    series = facts.over_time(record, ["acceptance"], 100)["acceptance"]
    found = record.query(
        "SELECT replica, avg((choice >= 0)::INT) AS mean FROM turns WHERE action >= 0 GROUP BY 1"
    )
    assert series.tick == [0]
    assert series.mean[0] == pytest.approx(found.numbers("mean").mean())


def test_counts_of_answers_add_up(record):
    """The matrices of the groups add up to that of everybody, and that to all answers with a known best."""
    items, more = facts.frequent_items(record, 12)
    found = facts.confusion(record, items, "group")
    everybody = {(r["ideal"], r["action"]): r["n"] for r in found if r["part"] == ""}
    summed: dict[tuple[int, int], float] = {}
    for row in found:
        if row["part"]:
            key = row["ideal"], row["action"]
            summed[key] = summed.get(key, 0.0) + row["n"]
    known = record.query("SELECT count(*) AS n FROM turns WHERE action >= 0 AND ideal >= 0")
    assert not more
    assert summed == everybody
    assert sum(everybody.values()) == known["n"][0]


@pytest.mark.parametrize("measure", ["satisfaction", "regret", "turns"])
def test_histograms_hold_everybody(record, measure):
    """The shares of each part of the people add up to 1, and the mean is that of the values themselves."""
    bins = parts.bins_for(record, measure)
    found = parts.spread(record, "group", measure, bins)
    for part in {row["part"] for row in found}:
        rows = [row for row in found if row["part"] == part]
        assert sum(row["share"] for row in rows) == pytest.approx(1.0)
        assert all(0 <= row["bin"] < bins.count for row in rows)
    value, where = {
        "satisfaction": ("satisfaction", "\"end\" <> 'none'"),
        "regret": ("regret", "regret > 0 AND isfinite(regret)"),
        "turns": ("turn + 1", "\"end\" <> 'none'"),
    }[measure]
    mean = record.query(f"SELECT avg({value}) AS mean FROM turns WHERE {where}").numbers("mean")[0]
    assert next(r["mean"] for r in found if r["part"] == parts.EVERYBODY) == pytest.approx(mean, rel=1e-6)


@pytest.mark.parametrize(("longest", "count", "width"), [(1, 2, 1), (28, 28, 1), (60, 30, 2), (961, 39, 25)])
def test_long_sessions_share_bins(monkeypatch, record, longest, count, width):
    """A histogram of turns reaches to the longest session, in as few turns to a bin as there is room for."""
    monkeypatch.setattr(record, "query", lambda _: Columns({"most": np.array([longest])}))
    bins = parts.bins_for(record, "turns")
    assert (bins.low, bins.count, bins.width) == (0.5, count, width)
    assert bins.high >= longest


def test_the_table_of_groups_names_who_fares_worst(record):
    """The widest gap is that between the best and the worst group, and names the worst."""
    lines = parts.table(record)
    gap, worst = parts.widest_gaps(lines)["regret"]
    groups = {line.name: line.found["regret"].estimate for line in lines if line.kind == "group"}
    assert worst == max(groups, key=groups.get)
    assert gap == pytest.approx(max(groups.values()) - min(groups.values()))


ROWS = st.builds(
    dict,
    offer=st.integers(-1, 4),
    took=st.booleans(),
    went_on=st.booleans(),
    taken=st.integers(-1, 4),
    ended=st.sampled_from(sorted(words.ENDS)),
    n=st.floats(1.0, 1e6),
)


@given(st.lists(ROWS, min_size=1, max_size=30))
def test_a_flow_keeps_every_session(found):
    """Each stage holds all sessions, nodes stand apart within the drawing, heights follow counts."""
    drawn = flow.layout(found, {i: f"item {i}" for i in range(5)})
    total = sum(row["n"] for row in found)
    stages = sorted({node.x for node in drawn.nodes})
    assert len(stages) == len(flow.STAGES)
    for x in stages:
        nodes = sorted((node for node in drawn.nodes if node.x == x), key=lambda node: node.y)
        assert sum(node.count for node in nodes) == pytest.approx(total)
        assert all(a.y + a.height < b.y for a, b in pairwise(nodes))
        assert nodes[-1].y + nodes[-1].height <= flow.HEIGHT + 1e-6
    scales = [node.height / node.count for node in drawn.nodes]
    assert max(scales) == pytest.approx(min(scales))


def criterion(direction, threshold, estimate, low, high):
    """Return a judged criterion as the verdict holds it."""
    return {"direction": direction, "threshold": threshold, "estimate": estimate, "low": low, "high": high}


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.floats(0.0, 0.3))
def test_a_gauge_shows_the_truth(threshold, estimate, reach):
    """Everything lies on the drawing, in the order of the numbers, and the green side is the right one."""
    low, high = max(0.0, estimate - reach), min(1.0, estimate + reach)
    found = gauge(criterion("at_least", threshold, estimate, low, high), find("goal_completion"))
    places = [0.0, found.low, found.at, found.high, 100.0]
    assert places == sorted(places)
    assert 0.0 <= found.threshold <= 100.0
    assert (found.good_from, found.good_to) == (found.threshold, 100.0)
    if abs(threshold - estimate) > 0.01:
        assert (found.at > found.threshold) == (estimate > threshold)


def test_a_gauge_without_an_estimate_is_not_drawn():
    """What could not be measured has no drawing, and what has no interval no bar."""
    assert gauge(criterion("at_most", 0.5, None, None, None), find("regret")) is None
    assert gauge(criterion("at_most", 0.5, 0.4, None, None), find("regret")).known is False


@given(st.floats(-1e6, 1e6), st.floats(0.0, 1e6))
def test_edges_hold_what_is_shown(low, reach):
    """The ends of a gauge lie beyond what it shows and never meet."""
    left, right = edges(low, low + reach, bounded=False)
    assert left <= low <= low + reach <= right
    assert left < right


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (words.whole(12345), "12,345"),
        (words.percent(0.714), "71.4 %"),
        (words.percent(-0.00001), "0.0 %"),
        (words.percent(float("nan")), "–"),
        (words.number(0.6), "0.6"),
        (words.number(1234.5), "1,234"),
        (words.number(0.00012345), "0.000123"),
        (words.number(None), "–"),
        (words.milliseconds(340), "340 ms"),
        (words.milliseconds(1600), "1.6 s"),
        (words.seconds(300), "5 min"),
        (words.seconds(7300), "2.03 h"),
        (words.plural(1, "session"), "1 session"),
        (words.plural(2100, "person", "people"), "2,100 people"),
        (words.listed(["a", "b", "c"]), "a, b and c"),
        (words.moment("2026-11-23T04:15:09+00:00"), "23 November 2026, 04:15 UTC"),
        (words.moment("some day"), "some day"),
    ],
)
def test_numbers_read_well(said, wanted):
    """Numbers are written for people: units that fit, thousands apart, no needless digits."""
    assert said == wanted


def test_the_vendored_libraries_are_what_they_say():
    """The JavaScript that travels in every report has the digests that were noted when it was taken."""
    vendor = files("rehearse.experiments.report").joinpath("vendor")
    noted = dict(reversed(line.split()) for line in vendor.joinpath("SHA256SUMS").read_text().splitlines())
    assert set(noted) == {"vega.min.js", "vega-lite.min.js", "vega-embed.min.js"}
    for name, digest in noted.items():
        assert hashlib.sha256(vendor.joinpath(name).read_bytes()).hexdigest() == digest


def test_only_a_run_is_reported(tmp_path):
    """A folder that is no run is refused, and nothing is written into it."""
    with pytest.raises(NotFoundError, match="not a run folder"):
        write(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_one_replica_and_nobody_known_are_reported_too(tmp_path):
    """A run of one replica without ties has a page without bands and without a society."""
    settings = {"people.society.graph.kind": "none", "people.society.influences": []}
    done = api.run("travel", users=12, ticks=2, replicas=1, out=tmp_path / "small", settings=settings)
    page = write(done.folder).read_text(encoding="utf-8")
    assert 'id="society"' not in page
    assert "95 % interval, the lighter band" not in page


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
def test_a_browser_draws_every_chart(folder, page, tmp_path):
    """A headless browser draws all charts, none fails, and no name from the scenario is run as a script."""
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    command += [f"--user-data-dir={tmp_path}", "--virtual-time-budget=20000", "--dump-dom"]
    done = subprocess.run(
        [*command, (folder / "report.html").as_uri()], capture_output=True, timeout=120, check=True
    )
    dom = done.stdout.decode("utf-8")
    specs = embedded(page)["specs"]
    assert f'data-drawn="{len(specs)}"' in dom
    assert 'class="plot failed' not in dom
    assert "plot vega-embed failed" not in dom
    drawn = re.findall(r'<div class="plot[^"]*" id="(chart-\d+)"[^>]*>.{0,400}?<svg', dom, flags=re.DOTALL)
    assert sorted(drawn) == sorted(specs)
    assert not re.search(r"<title>EVIL", dom)
    assert "NaN" not in dom.split("<noscript")[0]


def test_what_was_asked_is_drawn_by_group(record, page):
    """Each criterion that is a mean over turns has a chart with a line a group, gaps as what they are of."""
    asked = {c.metric.removeprefix("gap:") for c in record.scenario.criteria}
    drawn = [spec for spec in embedded(page)["specs"].values() if "by group over time" in spec["description"]]
    titles = {spec["description"].partition(" by group")[0].lower() for spec in drawn}
    assert titles
    assert titles <= {find(name).title.lower() for name in asked}
    for spec in drawn:
        rows = spec["data"]["values"]
        assert {row["group"] for row in rows} == set(GROUPS)
        assert {row["tick"] for row in rows} == set(range(14))
    whole = facts.over_time(record, ("goal_completion",), 1, parts.Part("group", GROUPS[0]))
    shown = next(spec for spec in drawn if spec["description"].startswith("Goal completion"))
    first = [row["mean"] for row in shown["data"]["values"] if row["group"] == GROUPS[0]]
    assert first == whole["goal_completion"].mean
