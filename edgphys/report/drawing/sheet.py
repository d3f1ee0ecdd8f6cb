# SPDX-License-Identifier: MIT
"""The paper that pictures are drawn on: for a screen, or for the column of a journal.

Figures are made without pyplot, so nothing global changes and no display is needed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["SHEETS", "Sheet"]

_SHARED: dict[str, Any] = {
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "axes.formatter.use_mathtext": True,
}
_SCREEN = {
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "mathtext.fontset": "dejavusans",
}
# STIX comes with matplotlib, beside Times of most journals; type 42 keeps text as text in vector files.
_PAPER = {
    "font.family": "STIXGeneral",
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "mathtext.fontset": "stix",
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "svg.fonttype": "none",
    "savefig.dpi": 600,
}


@dataclass(frozen=True)
class Sheet:
    """Sizes and fonts of pictures.

    Attributes
    ----------
    width, height : float
        Of a panel, in inches.
    columns : int or None
        Most panels side by side; None: as many as suit the screen.
    heading : bool
        Whether the picture says what it is of, which in a paper its caption does.
    dpi : float
        Of pictures in pixels.
    settings : mapping
        Of matplotlib.
    """

    width: float
    height: float
    columns: int | None
    heading: bool
    dpi: float
    settings: Mapping[str, Any]

    @contextlib.contextmanager
    def style(self) -> Iterator[None]:
        """Settings of matplotlib for the time of drawing and writing."""
        from matplotlib import rc_context

        settings: dict[Any, Any] = dict(self.settings)
        with rc_context(settings):
            yield

    def figure(self, n_rows: int, n_columns: int = 1, height: float | None = None) -> Figure:
        """An empty figure for so many panels, each `height` inches high."""
        from matplotlib.figure import Figure

        n_columns = n_columns if self.columns is None else min(n_columns, self.columns)
        size = (self.width * n_columns, (height or self.height) * n_rows)
        return Figure(figsize=size, layout="constrained")


SHEETS = {
    "screen": Sheet(4.6, 3.1, None, True, 160, MappingProxyType(_SHARED | _SCREEN)),
    "paper": Sheet(3.4, 2.3, 1, False, 600, MappingProxyType(_SHARED | _PAPER)),
}
