# SPDX-License-Identifier: MIT
"""Functions of the adjacency matrix against dense linear algebra (1e-12), on all lattices and boundaries."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import lattices
from edgphys.systems import LatticeOperator
from edgphys.systems.lattice import relaxation

GEOMETRIES = [
    ("chain", (7,), True),
    ("chain", (5,), False),
    ("square", (4, 3), True),
    ("square", (5, 4), (True, False)),
    ("square", (3, 4), (False, True)),
    ("square", (3, 4), False),
    ("triangular", (5, 3), True),
    ("honeycomb", (3, 4), True),
    ("honeycomb", (3, 4), (False, True)),
    ("kagome", (4, 3), True),
    ("kagome", (3, 3), (True, False)),
    ("cubic", (3, 4, 3), True),
    ("cubic", (3, 4, 3), (True, False, True)),
    ("hypercubic", (3, 3, 3, 4), True),
]


@pytest.fixture(params=GEOMETRIES, ids=lambda p: f"{p[0]}-{p[1]}-{p[2]}".replace(" ", ""), scope="module")
def lattice(request):
    name, extent, pbc = request.param
    return lattices.build(name, extent, pbc)


def whitening(lattice, coupling):
    """M^{1/2} and M = coupling A + a, with the smallest eigenvalue of M at one hundredth."""
    dense = coupling * lattice.adjacency
    shift = 0.01 - np.linalg.eigvalsh(dense).min()
    root = LatticeOperator.from_adjacency(lattice, lambda w: np.sqrt(coupling * w + shift))
    return root, dense + shift * np.eye(lattice.n_sites)


@pytest.mark.parametrize("coupling", [0.6, -0.4])
def test_square_root_squares_to_the_matrix_and_is_symmetric(lattice, coupling):
    root, matrix = whitening(lattice, coupling)
    dense = root.to_dense()
    np.testing.assert_allclose(dense, dense.T, atol=1e-14)
    np.testing.assert_allclose(dense @ dense, matrix, atol=1e-12)
    assert np.linalg.eigvalsh(dense).min() > 0


def test_square_root_check_sees_one_flipped_bond(lattice):
    """Negative control: the same comparison against a matrix with the sign of one bond flipped."""
    root, matrix = whitening(lattice, 0.6)
    i, j = lattice.bonds[0]
    matrix[i, j] *= -1.0
    matrix[j, i] *= -1.0
    dense = root.to_dense()
    assert np.abs(dense @ dense - matrix).max() > 1.0


@pytest.mark.parametrize("dense_below", [0, 10**6], ids=["fourier", "dense"])
@pytest.mark.parametrize(("dtype", "atol"), [(torch.float64, 1e-13), (torch.float32, 5e-6)])
def test_apply_equals_dense_product(lattice, dense_below, dtype, atol, monkeypatch):
    monkeypatch.setattr(relaxation, "_DENSE_BELOW", dense_below)
    root, _ = whitening(lattice, 0.6)
    x = torch.randn(2, 3, lattice.n_sites, dtype=dtype, generator=torch.Generator().manual_seed(0))
    result = root.apply(x)
    assert result.dtype == dtype and result.shape == x.shape
    np.testing.assert_allclose(result.numpy(), x.double().numpy() @ root.to_dense(), atol=atol)


def test_eigenvalues_are_those_of_the_adjacency_matrix(lattice):
    root, matrix = whitening(lattice, -0.4)
    np.testing.assert_allclose(np.sort(root.eigenvalues), np.linalg.eigvalsh(lattice.adjacency), atol=1e-12)
    np.testing.assert_allclose(np.sort(root.values**2), np.linalg.eigvalsh(matrix), atol=1e-12)


def test_commutes_with_the_space_group(lattice):
    dense = whitening(lattice, 0.6)[0].to_dense()
    for p in lattice.space_group()[:200]:
        np.testing.assert_allclose(dense[np.ix_(p, p)], dense, atol=1e-12)


def test_functions_compose(lattice):
    root, matrix = whitening(lattice, 0.6)
    np.testing.assert_allclose(root.power(2.0).to_dense(), matrix, atol=1e-12)
    np.testing.assert_allclose(root.power(-2.0).to_dense() @ matrix, np.eye(lattice.n_sites), atol=1e-10)
    exponential = root.function(lambda v: np.exp(-v))
    w, v = np.linalg.eigh(matrix)
    np.testing.assert_allclose(exponential.to_dense(), (v * np.exp(-np.sqrt(w))) @ v.T, atol=1e-12)


@given(length=st.integers(3, 9), width=st.integers(3, 5), seed=st.integers(0, 2**16))
def test_apply_is_self_adjoint_on_any_torus(length, width, seed):
    operator = LatticeOperator.from_adjacency(lattices.build("square", (length, width)), np.cos)
    x, y = torch.randn(2, length * width, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(x @ operator.apply(y), y @ operator.apply(x), atol=1e-11, rtol=0)


def test_double_bonds_count_twice():
    lattice = lattices.build("square", (2, 4), allow_double_bonds=True)
    adjacency = LatticeOperator.from_adjacency(lattice, lambda w: w)
    np.testing.assert_allclose(adjacency.to_dense(), lattice.adjacency, atol=1e-13)
    assert adjacency.eigenvalues.max() == pytest.approx(4.0)


@pytest.mark.parametrize("name", ["square", "kagome"])
def test_tables_made_in_inference_mode_or_functorch_serve_gradients_later(name, monkeypatch):
    monkeypatch.setattr(relaxation, "_DENSE_BELOW", 0)
    lattice = lattices.build(name, (3, 3))
    x = torch.ones(lattice.n_sites, dtype=torch.float64, requires_grad=True)
    for first_use in ("inference", "functorch"):
        root, matrix = whitening(lattice, 0.6)
        if first_use == "inference":
            with torch.inference_mode():
                root.apply(x)
        else:
            torch.func.jacrev(torch.func.grad(lambda v, root=root: (root.apply(v) ** 2).sum()))(x.detach())
        (gradient,) = torch.autograd.grad((root.apply(x) ** 2).sum(), x)
        torch.testing.assert_close(gradient, 2.0 * torch.from_numpy(matrix) @ x.detach())


def test_bad_arguments_are_named():
    square = lattices.build("square", (3, 3))
    operator = LatticeOperator.from_adjacency(square, lambda w: w)
    with pytest.raises(TypeError, match=r"lattice must be a lattices.Lattice, got str"):
        LatticeOperator.from_adjacency("square", np.sqrt)
    with pytest.raises(ValueError, match=r"x must have shape \(\.\.\., 9\), got \(2, 8\)"):
        operator.apply(torch.ones(2, 8))
    with pytest.raises(ValueError, match=r"x must be float32 or float64, got torch\.int64"):
        operator.apply(torch.ones(2, 9, dtype=torch.int64))
    with pytest.raises(ValueError, match="f must be real and finite"):
        operator.power(0.5)
    with pytest.raises(ValueError, match="f must map shape"):
        operator.function(lambda w: w[0])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_apply_on_the_gpu_equals_dense_product(lattice):
    root, _ = whitening(lattice, 0.6)
    x = torch.randn(4, lattice.n_sites, dtype=torch.float64, device="cuda")
    np.testing.assert_allclose(root.apply(x).cpu().numpy(), x.cpu().numpy() @ root.to_dense(), atol=1e-12)
