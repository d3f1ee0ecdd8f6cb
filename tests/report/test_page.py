# SPDX-License-Identifier: MIT
"""The page of a dataset: complete in itself, the same every time, loud where numbers are wrong."""

from __future__ import annotations

import functools
import html.parser
import json
import shutil
import subprocess

import matplotlib.image
import numpy as np
import pytest
from helpers.scans import stub_scan

import edgphys as ep
import lattices
from edgphys.errors import ArgumentValueError, DatasetError
from edgphys.report.pictures import pictures_of, pictures_of_model


class Page(html.parser.HTMLParser):
    """What a browser would see: rows of cells, sources of pictures, tags, words."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.sources, self.tags, self.words = [], [], set(), []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href")]
        if tag == "tr":
            self.rows.append([])

    def handle_data(self, data):
        self.words.append(data)
        if self.rows:
            self.rows[-1].append(data)


def page_of(result, folder):
    return Page(ep.write_report(result, folder / "page.html", overwrite=True).read_text(encoding="utf-8"))


def energies():
    """A scan of one result: pictures take most of the time."""
    return stub_scan()[["energy", "energy_err", "reliable", "converged"]]


@functools.cache
def chains(n_sweeps=400):
    system = ep.Ising(lattices.build("honeycomb", (3, 3)), temperature=1.5)
    return ep.mcmc.run(system, "metropolis", n_chains=2, n_sweeps=n_sweeps, seed=1, keep=True)


def run(system, algorithm="hmc"):
    return ep.mcmc.run(system, algorithm, n_chains=1, n_sweeps=20, seed=0, keep=True)


def test_a_scan_has_its_values_and_one_picture_per_result(tmp_path):
    table = stub_scan()[["energy", "energy_err", "specific_heat", "specific_heat_err"]]
    page = page_of(table, tmp_path)
    assert all(source.startswith("data:image/svg+xml;base64,") for source in page.sources)
    assert len(page.sources) == 2
    assert "script" not in page.tags and "link" not in page.tags
    value = f"{float(table['energy'].sel({'method': 'exact'})[0]):.10g}"
    assert any(value in row for row in page.rows)
    assert "No test of these numbers failed." in page.words


def test_what_is_not_trusted_is_said_first(tmp_path):
    table = energies()
    table["reliable"] = table["converged"].where(table["method"] != "edg", 0.0)
    page = page_of(table, tmp_path)
    assert page.words.index("Not to be trusted") < page.words.index("What was computed")
    assert "No test of these numbers failed." not in page.words
    assert any("edg at temperature=" in line for line in page.words)


def test_same_data_same_page(tmp_path):
    first, again = (ep.write_report(chains(), tmp_path / name).read_bytes() for name in ("a.html", "b.html"))
    assert first == again


def test_words_of_a_file_are_text(tmp_path):
    table = energies()
    table.attrs["system"] = "<script>alert(1)</script>\x1b[2J"
    table.attrs["warnings"] = json.dumps({})
    page = page_of(table, tmp_path)
    assert "script" not in page.tags
    assert any("<script>alert(1)</script>" in line for line in page.words)


def test_configurations_are_drawn_as_often_as_their_weight_says():
    samples = ep.mcmc.run(ep.MuellerBrown(15.0), "hmc", n_chains=1, n_sweeps=50, seed=0, keep=True)
    samples = samples.isel(chain=0)
    log_w = np.full(50, -np.inf)
    log_w[7] = 3.0
    samples["log_weight_joint"] = ("draw", log_w)
    cloud = list(pictures_of(samples))[-1].figure.axes[0].lines[0].get_xydata()
    np.testing.assert_array_equal(np.unique(cloud, axis=0), samples["configurations"].values[[7]])


@pytest.mark.parametrize(
    ("samples", "n_panels"),
    [
        (chains, 8),
        (lambda: run(ep.Ising(lattices.build("cubic", (3, 3, 3)), 4.0), "wolff"), 8),
        (lambda: run(ep.LennardJones(3, temperature=1.0)), 8),
        (lambda: run(ep.DoubleWell()), 1),
    ],
)
def test_every_family_has_its_picture(samples, n_panels):
    pictures = list(pictures_of(samples()))
    assert [len(one.figure.axes) for one in pictures] == [2, n_panels]  # series and density of the energy
    assert all(one.words.endswith(".") for one in pictures)


def test_a_trained_generator_shows_its_training_and_draws_in_the_middle_of_its_range(tmp_path):
    system = ep.Ising(lattices.build("chain", (4,)), temperature=2.0)
    edg = ep.EDG(system, conditions={"temperature": (1.0, 2.0)}).fit(seed=0, n_steps=2, progress=False)
    edg.save(tmp_path / "edg.pt")
    training, draws, configurations = pictures_of_model(tmp_path / "edg.pt")
    assert training.words.startswith("Training of edg")
    assert draws.words.startswith("edg, temperature = 1.5, drawn for this page")
    assert len(configurations.figure.axes) == 8


def test_draws_behind_the_end_of_a_chain_are_not_shown():
    system = ep.MuellerBrown(15.0)
    merged = ep.merge([run(system), ep.mcmc.run(system, "hmc", n_chains=1, n_sweeps=50, seed=1, keep=True)])
    cloud = list(pictures_of(merged))[-1].figure.axes[0].lines[0].get_xydata()
    there = merged["configurations"].values.reshape(-1, 2)
    there = there[np.isfinite(there).all(axis=1)]
    assert len(there) == 70
    np.testing.assert_array_equal(np.unique(cloud, axis=0), np.unique(there, axis=0))


def test_bad_paths_are_refused_before_anything_is_drawn(tmp_path):
    with pytest.raises(ArgumentValueError, match=r"path must end in .html, got '.*page.pdf'"):
        ep.write_report(chains(), tmp_path / "page.pdf")
    (tmp_path / "page.html").write_text("mine")
    with pytest.raises(DatasetError, match="exists and is not overwritten"):
        ep.write_report(chains(), tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text() == "mine"
    with pytest.raises(TypeError, match=r"result must be an xarray.Dataset"):
        ep.write_report({}, tmp_path / "other.html")  # pyright: ignore[reportArgumentType]


@pytest.mark.slow
@pytest.mark.parametrize("spoilt", [False, True], ids=["as written", "control: pictures spoilt"])
def test_a_browser_shows_the_pictures_and_complains_of_nothing(tmp_path, spoilt):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium on this machine")
    place = ep.write_report(energies(), tmp_path / "page.html")
    if spoilt:
        place.write_text(place.read_text().replace("base64,", "base64,!"))
    words = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking"
    more = [f"--user-data-dir={tmp_path}", "--window-size=500,2000", f"--screenshot={tmp_path / 'shot.png'}"]
    told = subprocess.run(
        [browser, *words.split(), "--enable-logging=stderr", *more, place.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert "CONSOLE" not in told.stderr
    pixels = np.round(255 * matplotlib.image.imread(tmp_path / "shot.png")[..., :3])
    marker = np.all(pixels == (0x00, 0x72, 0xB2), axis=-1)  # the colour of EDG
    assert (marker.sum() > 100) is not spoilt
