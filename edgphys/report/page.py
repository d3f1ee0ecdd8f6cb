# SPDX-License-Identifier: MIT
"""A dataset as one page: what was computed, tables, pictures, what is not to be trusted, how to repeat it.

The page is one HTML file that loads nothing else; it is made for a telephone, a screen and paper.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgphys import observables
from edgphys._checks import instance
from edgphys._files import check_target, write_whole
from edgphys._progress import duration
from edgphys.dataset.schema import validate
from edgphys.errors import ArgumentValueError
from edgphys.report import html
from edgphys.report.content import Content, content_of
from edgphys.report.pictures import Picture, pictures_of, pictures_of_model
from edgphys.report.provenance_lines import provenance_lines

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["write_report"]

# Arrays whose dims say nothing of what was computed.
_BULKY = ("configurations", "correlation")


def write_report(
    result: xr.Dataset, path: str | Path, *, models: Sequence[str | Path] = (), overwrite: bool = False
) -> Path:
    """Write a dataset of any kind as a page that is complete in itself.

    Parameters
    ----------
    result : xarray.Dataset
        A scan, samples, a curve, a ladder, estimates or any other dataset of edgphys.
    path : path
        File to write, ending in .html.
    models : sequence of path
        Trained generators, as `EDG.save` or a scan (``scan.nc.models``) keep them: their training is shown,
        and some configurations that they draw for the page.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    pathlib.Path
        `path`.

    Raises
    ------
    DatasetError
        If `result` is no dataset of edgphys, or `path` cannot be written.
    ValueError
        If `path` does not end in .html.

    Notes
    -----
    The same dataset gives the same page with the same versions of the packages, but for the exact curves of a
    scan, which are drawn as finely as a few seconds allow.
    """
    import xarray as xr

    instance(result, "result", xr.Dataset, "an xarray.Dataset")
    path = check_target(path, "path", overwrite)
    if path.suffix != ".html":
        raise ArgumentValueError(f"path must end in .html, got {str(path)!r}", "path")
    validate(result)
    page = _page(result, list(map(Path, models)))
    write_whole(path, lambda place: place.write_text(page, encoding="utf-8"), overwrite)
    return path


def _page(result: xr.Dataset, models: list[Path]) -> str:
    content = content_of(result)
    tables = "".join(map(html.table, content.tables))
    body = "".join(
        [
            f"<header><h1>{html.escaped(content.title)}</h1><p>{html.escaped(content.state)}</p></header>",
            _verdict(content),
            _section("What was computed", html.unordered(_facts(result))),
            _section("Pictures", _shown(pictures_of(result))),
            _section("Results", tables + html.unordered(content.notes)),
            _section("Trained generators", "".join(_shown(pictures_of_model(one)) for one in models)),
            _section("What the names mean", html.folded("Definitions", _definitions(result))),
            _section("How to repeat it", _record(result)),
        ]
    )
    style = files("edgphys.report").joinpath("page.css").read_text(encoding="utf-8")
    head = (
        "<meta charset='utf-8'><meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{html.escaped(content.title)}</title><style>{style}</style>"
    )
    return f"<!doctype html>\n<html lang='en'><head>{head}</head><body><main>{body}</main></body></html>\n"


def _shown(pictures: Iterable[Picture]) -> str:
    figures = "".join(html.picture(one.figure, one.words) for one in pictures)
    return f"<div class='pictures'>{figures}</div>" if figures else ""


def _section(title: str, content: str) -> str:
    return f"<section><h2>{html.escaped(title)}</h2>{content}</section>" if content else ""


def _verdict(content: Content) -> str:
    """What is seen first."""
    if not content.warnings:
        return "<p class='good'>No test of these numbers failed.</p>"
    words = f"<h2>Not to be trusted</h2>{html.unordered(content.warnings)}"
    return f"<section class='alarm' role='alert'>{words}</section>"


def _facts(result: xr.Dataset) -> list[str]:
    """Which methods, how many draws, at which couplings, at what cost."""
    attrs = result.attrs
    facts = [f"{attrs['kind']} by {attrs['method']}" if "method" in attrs else str(attrs["kind"])]
    shown = [array for name, array in result.data_vars.items() if name not in _BULKY]
    dims = dict.fromkeys(str(dim) for array in shown for dim in array.dims)
    for name in dims:
        known = name in result.coords
        facts.append(f"{name}: {_values(result[name].values.tolist()) if known else result.sizes[name]}")
    for name in observables.COSTS:
        total = float(result[name].sum()) if name in result else attrs.get(name, 0.0)
        if total > 0:
            words = observables.record(name, {}).title
            facts.append(f"{words}: {duration(total) if name == 'wall_time' else f'{total:.4g}'}")
    return facts


def _values(values: list[Any]) -> str:
    words = [one if isinstance(one, str) else f"{one:.6g}" for one in values]
    return ", ".join(words) if len(words) <= 12 else f"{len(words)} values from {words[0]} to {words[-1]}"


def _definitions(result: xr.Dataset) -> str:
    known = json.loads(result.attrs.get("definitions", "{}"))
    pairs = [(name, words) for name, words in known.items() if name in result.variables]
    rows = (f"<dt>{html.escaped(name)}</dt><dd>{html.escaped(words)}</dd>" for name, words in pairs)
    return f"<dl>{''.join(rows)}</dl>"


def _record(result: xr.Dataset) -> str:
    lines = "\n".join(provenance_lines(result))
    return html.folded("Command, settings, seeds, versions", f"<pre>{html.escaped_lines(lines)}</pre>")
