# SPDX-License-Identifier: MIT
"""Samplers on disk: the same draws after a file, all of it or none, and no system but the one saved."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from helpers.own_systems import opened
from helpers.samplers import (
    LATTICES,
    SAME,
    TINY_FIELD,
    TINY_MIXTURE,
    decoded,
    quick_field,
    short_search,
    square,
)

import lattices
from edgphys.edg import EDG, storage
from edgphys.edg.targets.configuration import ConfigurationTarget
from edgphys.errors import DatasetError
from edgphys.systems import (
    DoubleWell,
    Ising,
    LogisticRegression,
    ManyWell,
    MuellerBrown,
    Phi4,
    Planar,
    Potential,
)

__all__ = ["short_search"]  # a fixture for all tests here


FORMS = [{}, {"form": "paper"}, {"form": "paper", "schedule": "vp-linear", "time_proposal": "uniform"}]


@pytest.mark.parametrize("options", FORMS)
@pytest.mark.parametrize("name", ["field", "honeycomb", "phi4"])
def test_saved_and_loaded_sampler_draws_the_same(name, options, tmp_path):
    edg, path = quick_field(LATTICES[name](), **options), tmp_path / "edg.pt"
    edg.save(path)
    found = EDG.load(path, device="cpu")
    assert found.options == edg.options and found.history.equals(edg.history)
    assert found.system.parameters == edg.system.parameters
    for key, value in edg.model.state_dict().items():
        assert torch.equal(found.model.state_dict()[key], value), key
    before, after = (one.sample(20, seed=6, keep=True, progress=False) for one in (edg, found))
    assert before.equals(after)
    assert {k: v for k, v in before.attrs.items() if k not in SAME} == {
        k: v for k, v in after.attrs.items() if k not in SAME
    }
    assert decoded(before)["settings"] == decoded(after)["settings"]
    assert edg.chain(8, seed=7, progress=False).equals(found.chain(8, seed=7, progress=False))


def test_files_are_not_overwritten_unless_asked(tmp_path):
    path = tmp_path / "edg.pt"
    quick_field(square()).save(path)
    before = path.read_bytes()
    with pytest.raises(DatasetError, match=r"path: .*edg.pt exists and is not overwritten; .*overwrite=True"):
        quick_field(square(), seed=1).save(path)
    assert path.read_bytes() == before
    quick_field(square(), seed=1).save(path, overwrite=True)
    assert path.read_bytes() != before and [p.name for p in tmp_path.iterdir()] == ["edg.pt"]
    with pytest.raises(DatasetError, match=r"path: the folder .* does not exist"):
        quick_field(square()).save(tmp_path / "no" / "edg.pt")


def test_files_that_are_no_samplers_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "edg.pt"
    with pytest.raises(DatasetError, match="there is no file"):
        EDG.load(path)
    path.write_bytes(b"nothing")
    with pytest.raises(DatasetError, match=r"edg.pt is not a saved sampler"):
        EDG.load(path)
    torch.save({"format": "other"}, path)
    with pytest.raises(DatasetError, match=r"edg.pt is not a saved sampler"):
        EDG.load(path)
    monkeypatch.setattr(storage, "_VERSION", 99)
    quick_field(square()).save(path, overwrite=True)
    monkeypatch.undo()
    with pytest.raises(DatasetError, match="has version 99, this edgphys reads 1"):
        EDG.load(path)


with opened(Phi4):

    class Tilted(Phi4):
        """Another energy under the name of phi^4."""

        def reduced_energy(self, x):
            return super().reduced_energy(x) + x.flatten(1).sum(1)


def doubled(lattice):
    """phi^4 with an energy put in by hand."""
    system = Phi4(lattice, kappa=0.2, lam=0.1)
    vars(system)["reduced_energy"] = lambda x: 2.0 * Phi4.reduced_energy(system, x)
    return system


@pytest.mark.parametrize("own", [lambda lattice: Tilted(lattice, kappa=0.2, lam=0.1), doubled])
def test_a_system_that_a_file_cannot_rebuild_is_handed_in(tmp_path, own):
    """A class or an energy of one's own under the name of another: the plain system is not taken for it."""
    lattice, path = lattices.build("chain", (6,)), tmp_path / "edg.pt"
    system, plain = own(lattice), Phi4(lattice, kappa=0.2, lam=0.1)
    assert system.identity() == plain.identity()
    saved = EDG(system, **TINY_FIELD)
    assert type(saved.model.target) is ConfigurationTarget  # no partial sum of phi^4 holds for it
    saved.save(path)
    with pytest.raises(DatasetError, match=r"given to load .*edg.pt, a phi4 with a class, .*got none"):
        EDG.load(path)
    with pytest.raises(DatasetError, match=r"system must be the one that .*edg.pt was saved with, got Phi4"):
        EDG.load(path, system=plain)
    found = EDG.load(path, system=own(lattice), device="cpu")
    assert found.sample(9, 0, progress=False).equals(saved.sample(9, 0, progress=False))


def test_files_without_class_energies_and_unit_cell_are_read(tmp_path):
    """As they were written before these were kept."""
    path, edg = tmp_path / "edg.pt", quick_field(square())
    edg.save(path)
    content = torch.load(path, weights_only=True)
    parameters, plain, *rest = json.loads(content["text"])
    plain["name"] = plain.pop("unit_cell")["name"]
    content["text"] = json.dumps([parameters, plain, *rest])
    for name in ("class", "energies", "identity", "rebuilt"):
        del content[name]
    torch.save(content, path)
    assert EDG.load(path, device="cpu").sample(9, 0, progress=False).equals(edg.sample(9, 0, progress=False))


FILES = {
    "mixture": lambda: (Planar("mog2_i"), {}),
    "blocks": lambda: (ManyWell(n_dims=4), {}),
    "hamiltonian": lambda: (DoubleWell(n_dims=2, tilt=0.3), {"decoder": "hamiltonian", "n_leapfrog": 1}),
    "gaussian": lambda: (MuellerBrown(20.0), {"encoder": "gaussian", "n_path_steps": None}),
    "lattice": lambda: (
        Ising(lattices.build("chain", (4,)), 2.0, field=0.2),
        {"decoder": "hamiltonian", "n_leapfrog": 1},
    ),
    "data": lambda: (LogisticRegression(n_features=2, n_train=20, n_test=5), {"n_components": 1}),
    "train_at": lambda: (DoubleWell(n_dims=1), {"train_at": {"temperature": 2.0}}),
}


@pytest.mark.parametrize("fitted", [pytest.param(False, marks=pytest.mark.slow), True])
@pytest.mark.parametrize("name", FILES)
def test_saved_and_loaded_sampler_of_a_continuous_system_draws_the_same(name, fitted, tmp_path):
    system, options = FILES[name]()
    edg, path = EDG(system, **TINY_MIXTURE | options), tmp_path / "edg.pt"
    if fitted:
        edg.fit(1, 3, batch_size=16, device="cpu", progress=False)
    else:
        edg.sample(5, seed=0, n_anneal=0, progress=False)  # leaves no trace
    edg.save(path)
    found = EDG.load(path, device="cpu")
    assert found.options == edg.options and found.history.equals(edg.history)
    assert found.system.parameters == edg.system.parameters and type(found.system) is type(edg.system)
    for key, value in edg.model.state_dict().items():
        assert torch.equal(found.model.state_dict()[key], value), key
    options = {"n_anneal": 0, "progress": False}
    before, after = (one.sample(20, seed=6, keep=True, **options) for one in (edg, found))
    assert before.equals(after)
    assert {k: v for k, v in before.attrs.items() if k not in SAME} == {
        k: v for k, v in after.attrs.items() if k not in SAME
    }
    assert edg.chain(8, seed=7, **options).equals(found.chain(8, seed=7, **options))


def own_systems():
    """A function, and data: what no file can rebuild; each with another of the same parameters."""
    rng = np.random.default_rng(14)
    y = np.arange(20) % 2
    data = [(rng.normal(size=(20, 2)), y, rng.normal(size=(5, 2)), y[:5]) for _ in range(2)]
    return {
        "potential": [
            Potential(function, n_dims=1)
            for function in (lambda x: 0.5 * (x**2).sum(1), lambda x: 0.4 * (x**2).sum(1))
        ],
        "logistic": [LogisticRegression(data=one) for one in data],
    }


@pytest.mark.parametrize("kind", ["potential", "logistic"])
def test_systems_that_a_file_cannot_rebuild_are_handed_in(tmp_path, kind):
    path, (system, other) = tmp_path / "edg.pt", own_systems()[kind]
    edg = EDG(system, **TINY_MIXTURE | {"n_components": 1})
    edg.save(path)
    with pytest.raises(DatasetError, match=r"system must be given to load .*edg.pt, a .*, got none"):
        EDG.load(path)
    with pytest.raises(DatasetError, match=r"system must be the one that .*edg.pt was saved with, got"):
        EDG.load(path, system=other)
    with pytest.raises(TypeError, match=r"system must be a system of edgphys.systems, got str"):
        EDG.load(path, system="potential")
    again = EDG.load(path, system=system)
    assert again.sample(20, 0, progress=False).equals(edg.sample(20, 0, progress=False))


def test_a_system_that_follows_from_its_parameters_may_be_handed_in(tmp_path):
    path, system = tmp_path / "edg.pt", DoubleWell()
    EDG(system, **TINY_MIXTURE | {"n_components": 1}).save(path)
    assert EDG.load(path, system=system).system is system
    with pytest.raises(DatasetError, match="system must be the one"):
        EDG.load(path, system=DoubleWell(temperature=2.0))
    with pytest.raises(TypeError, match="path must be a str or a Path, got int"):
        EDG.load(3)
