# SPDX-License-Identifier: MIT
"""The site: its code runs, its links lead somewhere, and it leaves out no public name and no variable.

Blocks of a page run one after the other, in one namespace and in an empty folder, with fewer steps and draws.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import yaml
from helpers.scans import install_stub_edg

import edgphys as ep
import lattices
from edgphys.cli.app import main

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))

_FIT = {"(seed=0)": "(seed=0, n_steps=2)", "10_000": "200"}
_LOCAL = "processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None"
PYTHON = {
    "start.md": _FIT | {"2_000": "200"},
    "howto/methods.md": {"seed=1": "seed=1, n_sweeps=300"},
    "howto/small_ess.md": _FIT
    | {"=500": "=2", "4_000": "200"}
    | {"1_000, seed=1": "200, seed=1, n_anneal=5"},
    "howto/own_energy.md": _FIT | {"2_000": "300"},
    "howto/bounded_coordinates.md": _FIT | {"2_000": "300"},
    "howto/own_pair_law.md": {"(seed=0)": "(seed=0, n_steps=2)", "n_particles=5": "n_particles=3"}
    | {"10_000, seed=1": "200, seed=1, n_anneal=5", "2_000": "300"},
    "howto/own_observables.md": {},
    "howto/potts.md": _FIT
    | {
        "20_000": "300",
        "(16, 16)": "(4, 4)",
        "(12, 12)": "(3, 3)",
        "seed=2": "seed=2, n_sweeps=300",
    },
    "howto/couplings.md": _FIT
    | {"4_000": "200", "2_000": "200", "8)\nladder": "3)\nladder"}
    | {'"mbar", seed=2': '"mbar", seed=2, n_sweeps=300'},
    "howto/own_hamiltonian.md": _FIT
    | {"(8, 8)": "(3, 3)", "2_000": "200", '"mbar", seed=1': '"mbar", seed=1, n_sweeps=200'},
    "howto/xy.md": _FIT
    | {
        "20_000": "200",
        "2_000": "200",
        "(16, 16)": "(4, 4)",
        "(6, 6, 6)": "(4, 4, 4)",
    }
    | {'"mbar", seed=2': '"mbar", seed=2, n_sweeps=300'},
    "howto/quantum_ising.md": _FIT | {"20_000": "100", "field=1.0)": "field=1.0, n_slices=6)"},
    "howto/own_lattice.md": _FIT | {"1_000": "2", "2_000": "200"},
    "howto/scans.md": {"2_000": "500", '"tcp://head-node:8786"': _LOCAL},
    "howto/scaling.md": {"20_000": "500", "(8, 16, 32, 64)": "(4, 6, 8)", "11)": "4)"}
    | {"exponent=0.0": "exponent=0.0, n_resamples=2", '"susceptibility"': '"susceptibility", n_resamples=2'},
    "howto/machines.md": {"seed=0, device": "seed=0, n_steps=2, device", "cuda": "cpu"}
    | {"10_000": "200", "20_000": "200"},
}
QUICK = {
    "scan": "--n-sweeps 500 --n-chains 2",
    "sample": "--n-sweeps 100",
    "temper": "--n-sweeps 100",
    "free-energy": "--n-sweeps 300",
}

CHAINS = {"sample", "temper", "free-energy", "wolff", "swendsen_wang", "mbar"}


def page(name: str) -> str:
    return (DOCS / name).read_text()


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def commands(text: str) -> list[list[str]]:
    lines = [line for block in blocks(text, "sh") for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("edgphys ")]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Empty but for the lattices that pages describe, and the couplings of one of them."""
    monkeypatch.chdir(tmp_path)
    for name in PAGES:
        for text in blocks(page(name), "toml"):
            (tmp_path / f"{tomllib.loads(text)['name']}.toml").write_text(text)
    np.save(tmp_path / "bonds.npy", lattices.random_bonds(lattices.build("square", (6, 6)), seed=7))
    return tmp_path


@pytest.fixture(scope="module")
def hook():
    spec = importlib.util.spec_from_file_location("generated", DOCS / "hooks" / "generated.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# ------------------------------------------------------------------------------------------- its code


@pytest.mark.slow
@pytest.mark.parametrize("name", PYTHON)
def test_python_of_the_page_runs(name, folder):
    code, names = "\n".join(blocks(page(name), "python")), {}
    for words, fewer in PYTHON[name].items():
        assert words in code
        code = code.replace(words, fewer)
    exec(compile(code, name, "exec"), names)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name != "howto/own_lattice.md"))
        for name in PAGES
        if commands(page(name))
    ],
)
def test_commands_of_the_page_run(name, folder, monkeypatch):
    install_stub_edg(monkeypatch)
    for command in commands(page(name)):
        short = QUICK[command[0]].split() if CHAINS & {*command, command[0]} else []
        quiet = ["--quiet"] if command[0] in QUICK else []
        assert main([*command, *short, *quiet]) == 0
        assert all((folder / file).exists() for file in command if file.endswith((".nc", ".png", ".pdf")))


def test_all_python_is_run_and_compiles():
    assert {name for name in PAGES if blocks(page(name), "python")} == set(PYTHON)
    for name in PYTHON:
        for block in blocks(page(name), "python"):
            compile(block, name, "exec")


def unknown(text: str) -> list[str]:
    """What a page calls ``ep.something``, and is not there."""
    return [name for name in re.findall(r"\bep\.[\w.]*\w", text) if not is_there(name.split(".")[1:])]


def is_there(parts: list[str]) -> bool:
    value = ep
    for part in parts:
        if not hasattr(value, part):
            return False
        value = getattr(value, part)
    return True


@pytest.mark.parametrize("name", PAGES)
def test_what_a_page_calls_exists(name):
    assert not unknown(page(name))
    assert unknown("`ep.mcmc.run(x)`, ep.EDG.sampel") == ["ep.EDG.sampel"]


# ------------------------------------------------------------------------------------------ its links


def links(text: str) -> list[str]:
    targets = re.findall(r"\]\(([^)\s#]+)", text)
    return [target for target in targets if not target.startswith(("http:", "https:"))]


def dead(name: str, text: str, pictures: set[Path]) -> list[str]:
    folder = (DOCS / name).parent
    return [
        link
        for link in links(text)
        if not ((folder / link).exists() or (folder / link).resolve() in pictures)
    ]


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name, hook):
    pictures = {DOCS / "pictures" / path.parent.name / path.name for path in hook.pictures()}
    assert not dead(name, hook.fill(page(name)), pictures)
    assert dead(name, "[a](nowhere.md) ![b](pictures/no.png)", pictures) == ["nowhere.md", "pictures/no.png"]


def leaves(node) -> list[str]:
    """Pages of a navigation, at any depth."""
    if isinstance(node, str):
        return [node]
    return [leaf for each in (node.values() if isinstance(node, dict) else node) for leaf in leaves(each)]


def test_every_page_is_in_the_navigation_once():
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    assert sorted(leaves(settings["nav"])) == PAGES


# ------------------------------------------------------------------------- nothing public is left out


def documented(text: str) -> list[str]:
    """Dotted names of what directives show: an object, or the members of a module that they name."""
    found = re.findall(r"^::: ([\w.]+)\n(?:    options:\n      members: \[(.+)\])?", text, re.MULTILINE)
    return [
        f"{name}.{member}" if member else name for name, members in found for member in members.split(", ")
    ]


def located(name: str):
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        parent, _, last = name.rpartition(".")
        return getattr(importlib.import_module(parent), last, None)


def missing(text: str) -> list[str]:
    """Public names that no directive shows."""
    shown = documented(text)
    objects = [value for name in shown if (value := located(name)) is not None]
    public = {f"lattices.{name}": getattr(lattices, name) for name in lattices.__all__}
    for name in ep.__all__:
        value = getattr(ep, name)
        if isinstance(value, ModuleType):
            public |= {f"{value.__name__}.{each}": getattr(value, each) for each in value.__all__}
        elif name != "__version__":
            public[f"edgphys.{name}"] = value
    return [name for name, value in public.items() if not any(value is each for each in objects)]


@pytest.fixture(scope="module")
def reference(hook):
    return "\n".join(hook.fill(page(name)) for name in PAGES if name.startswith("reference/"))


def test_every_public_name_is_in_the_reference(reference):
    assert not missing(reference) and "`ep.__version__`" in reference
    assert missing(reference.replace("members: [anneal]", "members: [other]")) == ["edgphys.mcmc.anneal"]


def test_every_command_is_in_the_reference(reference):
    from edgphys.cli.app import _FUNCTIONS

    assert all(f"| `edgphys {name}` |" in reference for name in _FUNCTIONS)


def unnamed(text: str, records: dict) -> list[str]:
    """Variables of recorded datasets that a page does not name; couplings along a ladder are coordinates.

    "upper" is an observable of a system that the tests have.
    """
    known = {"upper", "field", *re.findall(r"`([\w<>]+)`", text)}
    bare = re.compile(r"(_err|_low|_high)$")
    return sorted(
        {
            name
            for record in records.values()
            for name in record.get("variables", {})
            if name not in record["sizes"] and not {name, bare.sub("", name)} & (known | set(record["sizes"]))
        }
    )


def test_every_variable_of_every_dataset_has_its_words(hook):
    text = hook.fill(page("variables.md"))
    records = json.loads((ROOT / "tests" / "golden" / "golden.json").read_text())["records"]
    assert not unnamed(text, records)
    assert unnamed(text.replace("`replica`", ""), records) == ["replica"]
    assert all(f"`{name}`" in text for name in hook.names())
    assert all(f"| `{kind}` |" in text for kind in ep.dataset.KINDS)


# ------------------------------------------------------------------------------------- the site itself


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_needs_no_network(tmp_path):
    for module in ("mkdocs", "material", "mkdocstrings_handlers"):
        pytest.importorskip(module, reason="mkdocs-material and mkdocstrings[python] are the extra docs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    built = {path.relative_to(tmp_path / "site").as_posix() for path in (tmp_path / "site").rglob("*")}
    assert {name.replace(".md", ".html") for name in PAGES} <= built and not any("hooks" in x for x in built)
    for path in (tmp_path / "site").rglob("*.html"):
        loaded = re.findall(r'(?:src=|<link[^>]*href=)"(https?:[^"]*)"', path.read_text())
        assert not loaded, path
