# SPDX-License-Identifier: MIT
"""Laws from another size or coupling, references, and what is refused in one line."""

from __future__ import annotations

import pytest
import torch

import edgphys as ep
import lattices

SMALL = {"target": "refinement", "decoder_size": (4, 4), "radius": 2.0}
QUICK = {"batch_size": 4, "device": "cpu", "progress": False}


def square(n=8, **changes):
    return ep.Ising(lattices.build("square", (n, n)), **{"temperature": 2.5} | changes)


def trained(system=None, **options):
    return ep.EDG(square() if system is None else system, **SMALL | options).fit(
        0, 3, training="energy", **QUICK
    )


@pytest.mark.parametrize("system", [square(16), square(temperature=3.0)])
def test_laws_are_taken_over(system):
    """Without steps the laws are those of the start; a class of a new level takes the coarsest there is."""
    start = trained()
    laws = start.model.generator.refinement.networks
    edg = ep.EDG(system, start=start, **SMALL).fit(1, 0, training="energy", **QUICK)
    plain = ep.EDG(system, **SMALL).fit(1, 0, training="energy", **QUICK).model.generator.refinement
    taken = set()
    for name, network in edg.model.generator.refinement.networks.items():
        source, of_finest = plain.networks[name], "0" + name[1:]
        # The finest level has no edges of squares, which are exact sites there, and smaller windows.
        if of_finest in laws and laws[of_finest].shapes == network.shapes:
            source = laws[of_finest]
            taken.add(name)
        for mine, theirs in zip(network.parameters(), source.parameters(), strict=True):
            assert torch.equal(mine, theirs)
    assert set(laws) <= taken
    assert not any(torch.equal(plain.networks[name].first, laws[name].first) for name in laws)


def test_training_goes_on_from_the_start_and_leaves_it_alone():
    start = trained()
    before = [p.clone() for p in start.model.parameters()]
    edg = ep.EDG(square(16), start=start, **SMALL).fit(1, 2, training="energy", **QUICK)
    assert all(torch.equal(a, b) for a, b in zip(before, start.model.parameters(), strict=True))
    assert edg.sample(5, 2, progress=False).sizes["draw"] == 5


def test_an_edg_root_starts_from_laws_and_gives_them():
    options = {"root": "edg", "encoder_size": (4, 1), "n_path_steps": 2}
    first = ep.EDG(square(), **SMALL, **options).fit(0, 6, training="energy", **QUICK)
    second = ep.EDG(square(16), start=first, **SMALL).fit(1, 0, training="energy", **QUICK)
    third = ep.EDG(square(16), start=second, **SMALL, **options).fit(1, 0, training="energy", **QUICK)
    laws = [first.model.target.laws, second.model.target.laws, third.model.target.laws]
    found = [one.refinement.networks["0_11_0_0"].first for one in laws]
    assert torch.equal(found[0], found[1]) and torch.equal(found[1], found[2])


def test_wrong_start_is_refused():
    start = trained()
    with pytest.raises(TypeError, match="start must be a trained EDG"):
        ep.EDG(square(16), start=start.model, **SMALL)
    with pytest.raises(ValueError, match=r"start must be of decoder='refinement', .* got 'field'"):
        ep.EDG(square(16), start=ep.EDG(square(), decoder="field"), **SMALL)
    with pytest.raises(ValueError, match=r"start must be of decoder='refinement', .* for 'field'"):
        ep.EDG(square(16), decoder="field", start=start)
    fields = ep.Phi4(lattices.build("square", (8, 8)), kappa=0.2, lam=0.1)
    for system, size in ((square(16), (6, 4)), (fields, (4, 4))):
        edg = ep.EDG(system, start=start, **SMALL | {"decoder_size": size})
        with pytest.raises(ValueError, match="start must have laws of the shapes of this EDG"):
            edg.fit(0, 1, training="energy", **QUICK)


def test_wrong_reference_or_training_is_refused():
    def samples(system, **options):
        return ep.mcmc.run(system, "wolff", n_chains=2, n_sweeps=100, seed=3, **options)

    edg, right = ep.EDG(square(), **SMALL), samples(square(), keep=True)
    with pytest.raises(ValueError, match=r"reference must be of .*, got samples of ising"):
        edg.fit(0, 2, reference=samples(square(temperature=3.0), keep=True), **QUICK)
    with pytest.raises(ValueError, match="reference must have the variable configurations"):
        edg.fit(0, 2, reference=samples(square()), **QUICK)
    with pytest.raises(TypeError, match=r"reference must be an xarray.Dataset of samples, got list"):
        edg.fit(0, 2, reference=[1], **QUICK)
    with pytest.raises(ValueError, match="reference must be None for training='energy'"):
        edg.fit(0, 2, reference=right, training="energy", **QUICK)
    field = ep.EDG(square(4), decoder="field", decoder_size=(2, 1), encoder_size=(2, 1))
    with pytest.raises(ValueError, match="training must be 'auto' or 'energy' for decoder='field'"):
        field.fit(0, 2, training="chains", **QUICK)
    with pytest.raises(ValueError, match="reference must be None for decoder='field', got a dataset"):
        field.fit(0, 2, reference=samples(square(4), keep=True), **QUICK)
    assert edg.fit(0, 2, reference=right, **QUICK).sample(5, 1, progress=False).sizes["draw"] == 5
