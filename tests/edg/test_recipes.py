# SPDX-License-Identifier: MIT
"""Which options `EDG` takes for which system: defaults, what is refused, and that refusals are one line each.

The table of refusals holds every option of the recipes for continuous systems with a wrong value, of a wrong
type, and for a system or decoder that it does not belong to.
"""

from __future__ import annotations

import functools
import json
import math
from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest
import torch
from helpers.own_systems import opened
from numba import njit

import lattices
from edgphys.edg import EDG
from edgphys.edg.field.model import EDGModel
from edgphys.edg.growth.generative_model import GrowthModel
from edgphys.edg.mixture import gaussian_mixture as mixture
from edgphys.edg.mixture.model import ContinuousModel
from edgphys.edg.particles.model import ParticleModel
from edgphys.edg.recipes import RECIPES, option_names, recipe_for
from edgphys.edg.refinement.generative_model import RefinementModel
from edgphys.errors import ArgumentTypeError, EdgphysError, UnknownNameError
from edgphys.systems import Harmonic, Ising, LennardJones, ManyWell, Phi4, Planar, Potential

TINY = {"decoder_size": (4, 1), "encoder_size": (4, 1), "n_components": 1}


@pytest.fixture(autouse=True, scope="module")
def short_search():
    """Fewer rounds and draws: what they give, test_mixture looks at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mixture, "_N_ROUNDS", 2)
        patch.setattr(mixture, "_N_DRAWS", 1000)
        yield


def harmonic():
    return Harmonic(n_dims=2)


def cluster():
    return LennardJones(3, 2)


def ising():
    return Ising(lattices.build("square", (4, 4)), temperature=3.0)


@njit
def _compiled(x):
    return 0.5 * (x * x).sum()


@functools.cache
def compiled():
    return Potential(_compiled, n_dims=2)


@functools.cache
def ready():
    return EDG(harmonic(), **TINY)


def gaussian():
    return EDG(harmonic(), **TINY, encoder="gaussian")


def fit(**options):
    return ready().fit(0, 1, **options)


# What is chosen.


with opened(Ising):

    class Own(Ising):
        """Another energy under the name of the Ising model: no law of its sites is known."""

        def reduced_energy(self, x):
            return 1.1 * super().reduced_energy(x)


REASONS = {
    "first choice": ({}, "refinement: the sites have a law of known form"),
    "target": ({"target": "decimation"}, "field: target='decimation' is an option of it"),
    "named": ({"decoder": "field"}, None),
}


@pytest.mark.parametrize("case", REASONS)
def test_datasets_say_why_the_decoder_was_chosen(case):
    options, reason = REASONS[case]
    attrs = EDG(ising(), **options).sample(2, 0, n_views=1, progress=False).attrs
    assert attrs.get("decoder_reason", "").startswith(reason or "") and ("decoder_reason" in attrs) == bool(
        reason
    )
    own = EDG(Own(lattices.build("chain", (4,)), temperature=2.0)).sample(2, 0, n_views=1, progress=False)
    assert "has no law for the sites" in own.attrs["decoder_reason"]
    assert "decoder_reason" not in ready().sample(2, 0, n_views=1, progress=False).attrs


DEFAULTS = {
    "lattice": (ising, {}, "refinement", RefinementModel),
    "lattice, partial sum": (ising, {"target": "decimation"}, "field", EDGModel),
    "lattice, paper": (ising, {"form": "paper"}, "field", EDGModel),
    "lattice, own energy": (
        lambda: Own(lattices.build("chain", (6,)), temperature=2.0),
        {},
        "field",
        EDGModel,
    ),
    "lattice, mixture": (ising, {"decoder": "mixture"} | TINY, "mixture", ContinuousModel),
    "planar": (lambda: Planar("mog2"), TINY, "mixture", ContinuousModel),
    "auto": (lambda: Planar("mog2"), {"decoder": "auto"} | TINY, "mixture", ContinuousModel),
    "hamiltonian": (harmonic, {"decoder": "hamiltonian"} | TINY, "hamiltonian", ContinuousModel),
    "compiled": (compiled, TINY, "mixture", ContinuousModel),
    "cluster": (cluster, {}, "growth", GrowthModel),
    "cluster, Hamiltonian steps": (cluster, {"n_leapfrog": 1}, "particles", ParticleModel),
    "cluster, range": (cluster, {"conditions": {"temperature": (1.0, 2.0)}}, "particles", ParticleModel),
}


@pytest.mark.parametrize("case", DEFAULTS)
def test_systems_choose_their_decoder(case):
    make, options, decoder, model = DEFAULTS[case]
    edg = EDG(make(), **options)
    assert edg.options.get("decoder", "field") == decoder and type(edg.model) is model
    # What a dataset and a file write down.
    assert json.loads(json.dumps(edg.options)).keys() == edg.options.keys()


def test_defaults_are_those_of_the_docstring():
    options = EDG(harmonic()).options
    expected = {
        "decoder": "mixture",
        "encoder": "diffusion",
        "n_path_steps": 8,
        "n_components": 256,
        "n_blocks": 1,
        "decoder_size": (64, 2),
        "encoder_size": (64, 2),
        "train_at": {},
    }
    assert options == expected
    assert EDG(harmonic(), decoder="hamiltonian").options == expected | {
        "decoder": "hamiltonian",
        "n_leapfrog": 4,
    }
    assert EDG(ManyWell(n_dims=6)).options["n_blocks"] == 3
    cluster = EDG(LennardJones(n_particles=3, n_axes=2, rm=2.0), decoder="mixture")
    assert 0.0 < cluster.options["train_at"]["core"] < 2.0
    assert EDG(harmonic()).default_steps() == 1000


def test_auto_and_none_leave_an_option_to_its_default():
    plain = EDG(harmonic()).options
    names = ("target", "encoder", "n_components", "n_blocks", "n_path_steps", "train_at", "decoder_size")
    for name in names:
        assert EDG(harmonic(), **{name: "auto"}).options == plain
        assert EDG(harmonic(), **{name: None}).options == plain
    assert EDG(ising(), target="auto").options == EDG(ising()).options


def test_completed_options_are_complete():
    """Given again, as a file does, they are the same."""
    for system, options in (
        (harmonic(), {}),
        (harmonic(), {"encoder": "gaussian"}),
        (ManyWell(n_dims=4), {}),
        (ManyWell(n_dims=4), {"decoder": "hamiltonian"}),
        (harmonic(), {"train_at": {"temperature": 2}}),
        (ising(), {"decoder": "mixture"}),
        (ising(), {"decoder": "hamiltonian", "n_leapfrog": np.int64(2)}),
    ):
        recipe, completed = recipe_for(system, dict(options))
        text = json.loads(json.dumps(recipe.described(completed)))
        again, found = recipe_for(system, text)
        assert found == completed and again is recipe


def test_hamiltonian_dynamics_moves_all_blocks_at_once():
    edg = EDG(ManyWell(n_dims=4), decoder="hamiltonian", **TINY | {"n_leapfrog": 1})
    assert edg.options["n_blocks"] == 1 and edg.model.decoder.n_dims == 4
    assert np.isfinite(edg.sample(20, seed=0, progress=False)["log_weight_joint"]).all()


@pytest.mark.parametrize("n_blocks", [1, 2, 4])
def test_blocks_may_be_joined(n_blocks):
    edg = EDG(ManyWell(n_dims=8), **TINY, n_blocks=n_blocks)
    assert edg.model.n_blocks == n_blocks and edg.model.decoder.n_dims == 8 // n_blocks
    assert edg.sample(5, seed=0, progress=False).sizes["draw"] == 5


def test_gaussian_encoder_takes_one_step_and_trains_on_its_bound():
    edg = gaussian()
    assert edg.options["n_path_steps"] == 1 and edg.model.n_path_steps == 1
    edg.fit(0, 2, batch_size=8, device="cpu", progress=False)
    samples = edg.sample(5, seed=0, progress=False)
    assert json.loads(samples.attrs["settings"])["training"]["path_share"] == 1.0


def test_numpy_numbers_are_numbers():
    options = {"n_components": np.int64(2), "n_blocks": np.int32(1), "n_path_steps": np.int64(2)}
    train_at = {"temperature": np.float32(2.0)}
    edg = EDG(harmonic(), **TINY | options, train_at=train_at)
    assert type(edg.options["n_components"]) is int and type(edg.options["train_at"]["temperature"]) is float
    assert edg.sample(5, seed=np.int64(3), n_anneal=0, progress=False).attrs["seed"] == 3


@pytest.mark.slow
def test_models_live_where_they_are_put(device):
    """Everything a draw, a weight and a training step touch is on the model's device."""
    for options in ({}, {"decoder": "hamiltonian", "n_leapfrog": 1}):
        edg = EDG(Planar("mog2"), **TINY | {"n_components": 2} | options)
        edg.fit(0, 2, batch_size=8, device=device, progress=False)
        tensors = [*edg.model.parameters(), *edg.model.buffers()]
        assert {tensor.device.type for tensor in tensors} == {torch.device(device).type}
        for weights in ("path", "ode"):
            samples = edg.sample(20, seed=0, weights=weights, n_ode_steps=2, progress=False)
            assert np.isfinite(samples["log_weight_joint"]).all()
        chain = edg.chain(8, seed=0, keep=True, progress=False)
        assert np.isfinite(edg.upper_bound(chain, seed=0)["log_weight_reverse"]).all()


def test_every_geometry_has_a_default_that_serves_all_of_it():
    found = {}
    for recipe in RECIPES.values():
        if recipe.default_of is not None:
            assert recipe.default_of in recipe.geometries
            found.setdefault(recipe.default_of, []).append(recipe.name)
    assert found == {
        "lattice": ["refinement", "field"],
        "continuous": ["mixture"],
        "particles": ["growth", "particles"],
    }
    assert RECIPES["field"].serves(Own(lattices.build("chain", (6,)), temperature=2.0)) is None
    assert "takes systems of geometry particles" in RECIPES["particles"].serves(harmonic())
    assert RECIPES["mixture"].serves(ising()) is None


@pytest.mark.parametrize("name", RECIPES)
def test_options_of_a_decoder_are_frozen_and_say_what_they_are_for(name):
    options = RECIPES[name].options()
    for one in fields(options):
        assert 0 < len(one.metadata["help"]) < 90, one.name
        with pytest.raises(FrozenInstanceError):
            setattr(options, one.name, None)
    assert {one.name for one in fields(options)} | {"decoder"} <= set(option_names())


def test_an_option_of_no_decoder_is_refused_with_all_there_are():
    with pytest.raises(ArgumentTypeError, match=r"n_step is no option of EDG; there are .*n_components"):
        EDG(harmonic(), n_step=3)


# What is refused.


def make(system, **options):
    return lambda: EDG(system(), **options)


MIX = "decoder='mixture'"
REFUSED = {
    "no system": (lambda: EDG(np.zeros(3)), TypeError, "system must be a system .*, got ndarray"),
    "class": (lambda: EDG(Harmonic), TypeError, "system must be a system .*, got ABCMeta"),
    "decoder": (
        make(harmonic, decoder="flow"),
        UnknownNameError,
        "decoder must be one of auto, mixture, hamiltonian, got 'flow'",
    ),
    "decoder of lattices": (make(harmonic, decoder="field"), UnknownNameError, "decoder must be .*'field'"),
    "decoder of particles": (make(harmonic, decoder="particles"), UnknownNameError, "decoder must be one"),
    "particles on a lattice": (
        make(ising, decoder="particles"),
        UnknownNameError,
        "decoder must be one of auto, refinement, field, mixture, hamiltonian, got 'particles'",
    ),
    "decoder type": (make(harmonic, decoder=3), UnknownNameError, "decoder must be one .*, got 3"),
    "decoder list": (make(harmonic, decoder=["mixture"]), UnknownNameError, "decoder must be one"),
    "compiled gradient": (
        make(compiled, decoder="hamiltonian"),
        ValueError,
        "decoder must be 'mixture' for Potential.* compiled function, .*; got 'hamiltonian'",
    ),
    "target": (
        make(harmonic, target="decimation"),
        ValueError,
        "target belongs to lattice systems, got target='decimation'",
    ),
    "target of a lattice": (
        make(ising, decoder="mixture", target="x"),
        UnknownNameError,
        "target must be auto, decimation, relaxation for Ising",
    ),
    "encoder": (
        make(harmonic, encoder="vae"),
        UnknownNameError,
        "encoder must be one of diffusion, gaussian, got 'vae'",
    ),
    "encoder type": (make(harmonic, encoder=1), UnknownNameError, "encoder must be one .*, got 1"),
    "encoder of a field": (
        make(ising, encoder="gaussian"),
        ValueError,
        "encoder is no option of decoder='field' for ising: use target, .*; got encoder='gaussian'",
    ),
    "components": (
        make(harmonic, n_components=0),
        ValueError,
        "n_components must be an integer >= 1, got 0",
    ),
    "components float": (
        make(harmonic, n_components=2.5),
        TypeError,
        "n_components must be an integer >= 1, got 2.5",
    ),
    "components bool": (make(harmonic, n_components=True), TypeError, "n_components must be .*, got True"),
    "components of a field": (make(ising, n_components=4), ValueError, "n_components is no option of decod"),
    "blocks": (make(harmonic, n_blocks=2), ValueError, r"n_blocks must be 1 for Harmonic\(.*, got 2"),
    "no blocks": (make(harmonic, n_blocks=0), ValueError, "n_blocks must be an integer >= 1, got 0"),
    "blocks float": (make(harmonic, n_blocks=1.0), TypeError, "n_blocks must be an integer >= 1, got 1.0"),
    "blocks text": (make(harmonic, n_blocks="x"), TypeError, "n_blocks must be an integer >= 1, got 'x'"),
    "blocks that do not fit": (
        make(lambda: ManyWell(n_dims=8), n_blocks=3),
        ValueError,
        r"n_blocks must divide 4 for ManyWell\(.*\), decoder='mixture', got 3",
    ),
    "blocks of dynamics": (
        make(lambda: ManyWell(n_dims=8), decoder="hamiltonian", n_blocks=4),
        ValueError,
        r"n_blocks must be 1 for ManyWell\(.*\), decoder='hamiltonian', got 4",
    ),
    "blocks of a lattice": (make(ising, decoder="mixture", n_blocks=2), ValueError, "n_blocks must be 1"),
    "leapfrog": (
        make(harmonic, n_leapfrog=2),
        ValueError,
        "n_leapfrog is no option of decoder='mixture' for harmonic: use .*; got n_leapfrog=2",
    ),
    "no leapfrog": (
        make(harmonic, decoder="hamiltonian", n_leapfrog=0),
        ValueError,
        "n_leapfrog must be an integer >= 1, got 0",
    ),
    "leapfrog float": (
        make(harmonic, decoder="hamiltonian", n_leapfrog=1.5),
        TypeError,
        "n_leapfrog must be an integer >= 1, got 1.5",
    ),
    "leapfrog of a field": (make(ising, n_leapfrog=4), ValueError, "n_leapfrog is no option of decoder='fi"),
    "train_at": (
        make(harmonic, train_at={"kappa": 1.0}),
        ValueError,
        "train_at must be a dict from some of temperature, stiffness, ratio to numbers, got {'kappa': 1.0}",
    ),
    "train_at number": (make(harmonic, train_at=2.0), ValueError, "train_at must be a dict .*, got 2.0"),
    "train_at value": (
        make(harmonic, train_at={"temperature": -1.0}),
        ValueError,
        "temperature must be positive",
    ),
    "train_at type": (make(harmonic, train_at={"temperature": "hot"}), TypeError, "temperature must be"),
    "train_at of a lattice": (
        make(ising, decoder="mixture", train_at={"temperature": 5.0}),
        ValueError,
        "train_at belongs to continuous systems, got train_at=",
    ),
    "train_at of a field": (
        make(ising, decoder="field", train_at={}),
        ValueError,
        "train_at is no option of decoder='field'",
    ),
    "K of a gaussian": (
        make(harmonic, encoder="gaussian", n_path_steps=8),
        ValueError,
        "n_path_steps must be 1 for encoder='gaussian', got 8",
    ),
    "K": (make(harmonic, n_path_steps=0), ValueError, "n_path_steps must be an integer >= 1, got 0"),
    "K float": (make(harmonic, n_path_steps=4.0), TypeError, "n_path_steps must be an integer >= 1, got 4.0"),
    "size": (
        make(harmonic, decoder_size=8),
        TypeError,
        r"decoder_size must be 2 integers \(channels, blocks\), got 8",
    ),
    "no depth": (
        make(harmonic, decoder_size=(8, 0)),
        ValueError,
        "decoder_size must be an integer >= 1, got 0",
    ),
    "sizes": (make(harmonic, encoder_size=(8, 1, 1)), TypeError, "encoder_size must be 2 integers"),
    "size float": (make(harmonic, encoder_size=(8, 1.5)), TypeError, "encoder_size must be .*, got 1.5"),
    **{
        name: (
            make(harmonic, **{name: value}),
            ValueError,
            f"{name} is no option of {MIX} for harmonic: use encoder, .*; got {name}='{value}'",
        )
        for name, value in (
            ("form", "paper"),
            ("schedule", "sub-vp"),
            ("trace", "exact"),
            ("time_proposal", "learned"),
        )
    },
    "form of dynamics": (
        make(lambda: Phi4(lattices.build("chain", (4,)), 0.2, 0.1), decoder="hamiltonian", form="angle"),
        ValueError,
        "form is no option of decoder='hamiltonian' for phi4",
    ),
    "steps": (lambda: ready().fit(0, -1), ValueError, "n_steps must be an integer >= 0, got -1"),
    "batch": (lambda: fit(batch_size=2), ValueError, "batch_size must be an integer >= 3, got 2"),
    "rate": (lambda: fit(learning_rate=0.0), ValueError, "learning_rate must be positive and finite, got 0"),
    "share": (lambda: fit(path_share=-0.1), ValueError, r"path_share must be a number in \[0, 1\], got -0.1"),
    "annealing": (lambda: fit(annealing=2), ValueError, r"annealing must be a number in \[0, 1\], got 2"),
    "annealing nan": (
        lambda: fit(annealing=math.nan),
        ValueError,
        "annealing must be .*, got nan",
    ),
    "patience": (lambda: fit(patience=0), ValueError, "patience must be an integer >= 1, got 0"),
    "device": (lambda: fit(device="abacus"), ValueError, "device must be .*, got 'abacus'"),
    "checkpoint": (lambda: fit(checkpoint="/no/such/f"), ValueError, "checkpoint: the folder /no/such does"),
    "seed": (lambda: ready().fit(2**64, 1), ValueError, r"seed must be an integer below 2\^63, got 18446"),
    "seed of draws": (lambda: ready().sample(1, 2**64), ValueError, r"seed must be an integer below 2\^63"),
    "seed float": (lambda: ready().sample(1, 1.0), TypeError, "seed must be an integer >= 0, got 1.0"),
    "draws": (lambda: ready().sample(0, 1), ValueError, "n_samples must be an integer >= 1, got 0"),
    "weights": (
        lambda: ready().sample(1, 1, weights="x"),
        UnknownNameError,
        "weights must be one of path, o",
    ),
    "flow of a gaussian": (
        lambda: gaussian().sample(1, 1, weights="ode"),
        ValueError,
        r"weights must be 'path' for encoder='gaussian' \(it has no flow\), got 'ode'",
    ),
    "divergence": (
        lambda: ready().sample(1, 1, weights="ode", divergence="x"),
        UnknownNameError,
        "divergence must be one of exact, hutchinson, got 'x'",
    ),
    "flow steps": (
        lambda: ready().sample(1, 1, weights="ode", n_ode_steps=0),
        ValueError,
        "n_ode_steps must be an integer >= 1, got 0",
    ),
    "chains": (lambda: ready().chain(10, 1, n_chains=4), ValueError, "n_samples must be a multiple of n_ch"),
    "reference": (
        lambda: ready().upper_bound(ready().chain(8, 1), 1),
        ValueError,
        "reference must have the variable configurations",
    ),
    "reference of draws": (
        lambda: ready().upper_bound(ready().sample(4, 1, keep=True), 1),
        ValueError,
        r"reference must have the dims \(chain, draw, ...\) of Markov chains, got \('draw', 'coordinate'\)",
    ),
    "size of reference": (
        lambda: ready().upper_bound(EDG(Harmonic(), **TINY).chain(8, 1, keep=True), 1),
        ValueError,
        r"reference must have configurations of shape \(2,\), got \(1,\)",
    ),
    "other reference": (
        lambda: ready().upper_bound(EDG(Planar("mog2"), **TINY).chain(8, 1, keep=True), 1),
        ValueError,
        "reference must be of Harmonic.*, got samples of planar",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_wrong_arguments_are_one_line(case):
    call, kind, message = REFUSED[case]
    with pytest.raises(kind, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
    if isinstance(caught.value, EdgphysError):
        assert caught.value.argument == message.split()[0].removesuffix(":")
