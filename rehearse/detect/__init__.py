"""Detectors of change in streams of numbers: a value a tick, many streams at once.

    from rehearse.detect import CUSUM

    for ring in CUSUM(k=0.5, h=4).run(stream):        # numbers in standard errors from what is usual
        print(ring.tick, ring.onset, ring.size)
    CUSUM(k=0.5, h=4, reference=20).run(stream)       # in units of its own: the first 20 tell what is usual

Streams have the shape (ticks,) or (streams, ticks); NaN is a tick without a value. `watcher` gives the same
detector tick by tick, for what cannot wait for the end.
"""

from rehearse.detect.base import Detector, Ring, Watcher, onset_of
from rehearse.detect.charts import CUSUM, EWMA, Chart, PageHinkley
from rehearse.detect.foreign import ADWIN, DDM, EDDM, HDDMA, HDDMW, KSWIN, Foreign
from rehearse.detect.spec import DETECTORS, Spec

__all__ = [
    "ADWIN",
    "CUSUM",
    "DDM",
    "DETECTORS",
    "EDDM",
    "EWMA",
    "HDDMA",
    "HDDMW",
    "KSWIN",
    "Chart",
    "Detector",
    "Foreign",
    "PageHinkley",
    "Ring",
    "Spec",
    "Watcher",
    "onset_of",
]
