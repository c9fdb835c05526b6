"""How results show themselves: as text in a terminal, as tables and charts in a notebook."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rehearse.experiments.pictures.chart import Charts

SHOWN = 2
"""Charts that a result shows of itself; `charts()` has all."""


class Shown:
    """A result with a text, tables and charts: from `__str__`, `markup` and `charts` the rest follows."""

    __slots__ = ()

    @abstractmethod
    def charts(self) -> Charts:
        """Return the result's charts by name."""

    @abstractmethod
    def markup(self) -> str:
        """Return the result's tables as HTML."""

    def __repr__(self) -> str:
        """Return its text: a result is looked at far more often than it is written as code."""
        return str(self)

    def _repr_html_(self) -> str:
        from rehearse.experiments.pictures.chart import inline

        first = list(self.charts().values())[:SHOWN]
        return self.markup() + (inline(first) if first else "")

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        del include, exclude
        first = next(iter(self.charts().values()), None)
        drawn = first._repr_mimebundle_() if first is not None else {}
        kept = {mime: content for mime, content in drawn.items() if "vega" in mime}
        return kept | {"text/html": self._repr_html_(), "text/plain": str(self)}
