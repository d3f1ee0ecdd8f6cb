# SPDX-License-Identifier: MIT
"""Functions of the adjacency matrix: the whitening operator M^{1/2} of the Ising model and its relatives.

With A the adjacency matrix of a lattice (symmetric, a double bond counts 2) and A = V diag(w) V^T,

    f(A) = V diag(f(w)) V^T,        for instance  M^{1/2} = (beta J A + a)^{1/2} .

Along periodic axes A is diagonal in momentum: a Fourier transform over unit cells leaves one Hermitian block
per momentum, of the size of the unit cell times the extents of the open axes. The blocks are diagonalised
once in float64; applying f(A) costs one transform forth and back. With no periodic axis the single block is
the whole matrix, and the cost is a dense product (n_sites^2 per field, n_sites^3 once).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgphys._lazy import LazyModule
from edgphys._sizes import check_memory
from lattices import Lattice

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = LazyModule("torch")

__all__ = ["LatticeOperator"]

# On a CPU one dense product beats the two transforms below this size: 4x faster at 8x8, equal at 16x16.
_DENSE_BELOW = 200


@dataclass(frozen=True, eq=False)
class _Spectrum:
    """Eigenvalues and eigenvectors of the adjacency matrix, one block per momentum.

    eigenvalues (*periodic extents, n_block); vectors (*periodic extents, n_block, n_block), complex unless
    all axes are open.
    """

    lattice: Lattice
    periodic: tuple[int, ...]
    open: tuple[int, ...]
    eigenvalues: NDArray[np.float64]
    vectors: NDArray


@lru_cache(maxsize=16)
def _spectrum(lattice: Lattice) -> _Spectrum:
    """Of the adjacency matrix; cached because a scan over couplings builds many systems on one lattice."""
    return _diagonalised(lattice, np.ones(lattice.n_bonds), lattice.pbc)


def _diagonalised(lattice: Lattice, weights: NDArray, pbc: tuple[bool, ...]) -> _Spectrum:
    """Diagonalise the matrix of weights of bonds that translations along the axes `pbc` leave as it is."""
    axes = range(len(lattice.extent))
    periodic = tuple(axis for axis in axes if pbc[axis])
    open_ = tuple(axis for axis in axes if not pbc[axis])
    n_block = math.prod(lattice.extent[axis] for axis in open_) * lattice.n_sites_per_cell
    about = f"matrices of {lattice!r}, which is open along an axis or has couplings of its own,"
    check_memory(16.0 * n_block * lattice.n_sites * (1 + bool(periodic)), "extent", about)
    rows = _first_rows(lattice, weights, periodic, open_)
    if not periodic:
        return _Spectrum(lattice, periodic, open_, *np.linalg.eigh(rows))
    # Column sums over displacements D of A[0, D] exp(+i k D): the conjugate of numpy's forward transform.
    momentum_axes = tuple(range(1, 1 + len(periodic)))
    blocks = np.moveaxis(np.conj(np.fft.fftn(rows, axes=momentum_axes)), 0, -2)
    return _Spectrum(lattice, periodic, open_, *np.linalg.eigh(blocks))


def _first_rows(
    lattice: Lattice, weights: NDArray, periodic: tuple[int, ...], open_: tuple[int, ...]
) -> NDArray[np.float64]:
    """Weights between the block at the origin and all blocks, shape (n_block, *periodic extents, n_block).

    Built from the bonds, so that the dense n_sites x n_sites matrix never exists on a periodic lattice.
    """
    block_shape = (*(lattice.extent[axis] for axis in open_), lattice.n_sites_per_cell)
    n_block = int(np.prod(block_shape))
    coordinates = (*(lattice.cells[:, axis] for axis in open_), lattice.sublattices)
    block_index = np.ravel_multi_index(coordinates, block_shape)
    ends = np.concatenate([lattice.bonds, lattice.bonds[:, ::-1]])
    at_origin = ~lattice.cells[ends[:, 0]][:, list(periodic)].any(axis=1)
    ends, values = ends[at_origin], np.concatenate([weights, weights])[at_origin]
    here, there = ends[:, 0], ends[:, 1]
    rows = np.zeros((n_block, *(lattice.extent[axis] for axis in periodic), n_block))
    cell = tuple(lattice.cells[there, axis] for axis in periodic)
    np.add.at(rows, (block_index[here], *cell, block_index[there]), values)
    return rows


class LatticeOperator:
    """A real symmetric function f(A) of the adjacency matrix A of a lattice, applied to fields in torch.

    Built by `from_adjacency`; further functions of it by `function` and `power`. All of them commute with
    each other, with the translations and with the point group of the lattice.

    Attributes
    ----------
    lattice : Lattice
        Where it acts.
    eigenvalues : float64 array, shape (n_sites,)
        Eigenvalues of the adjacency matrix, momentum by momentum (row-major over the periodic extents, FFT
        order), with those of one momentum ascending.
    values : float64 array, shape (n_sites,)
        f of the eigenvalues, in the same order.

    Notes
    -----
    The tables are computed in float64 and cast to the dtype of the field. On a GPU the dense and block
    products follow ``torch.backends.cuda.matmul.allow_tf32`` (off by default); one site per cell and all axes
    periodic needs no product.

    Examples
    --------
    >>> import lattices
    >>> square = lattices.build("square", (4, 4))
    >>> adjacency = LatticeOperator.from_adjacency(square, lambda w: w)
    >>> float(adjacency.eigenvalues.max())
    4.0
    >>> adjacency.apply(torch.ones(1, 16, dtype=torch.float64))[0, :3]
    tensor([4., 4., 4.], dtype=torch.float64)
    """

    def __init__(self, spectrum: _Spectrum, values: NDArray[np.float64]) -> None:
        self._spectrum = spectrum
        self._values = values
        self._tables: dict[tuple[str, torch.dtype, torch.device], Tensor] = {}

    @classmethod
    def from_adjacency(cls, lattice: Lattice, f: Callable[[NDArray], NDArray]) -> LatticeOperator:
        """The operator f(A).

        Parameters
        ----------
        lattice : Lattice
            Its bonds define the adjacency matrix A.
        f : callable
            Maps a float64 array of eigenvalues to a real, finite array of the same shape.

        Raises
        ------
        TypeError
            If `lattice` is not a Lattice.
        ValueError
            If f gives another shape, or values that are not real and finite.
        """
        if not isinstance(lattice, Lattice):
            raise TypeError(f"lattice must be a lattices.Lattice, got {type(lattice).__name__}")
        spectrum = _spectrum(lattice)
        return cls(spectrum, _evaluate(f, spectrum.eigenvalues))

    @classmethod
    def from_couplings(
        cls, lattice: Lattice, weights: NDArray, f: Callable[[NDArray], NDArray], *, translations: bool
    ) -> LatticeOperator:
        """The operator f(W), W the symmetric matrix of weights of the bonds.

        Parameters
        ----------
        lattice : Lattice
        weights : float64 array, shape (n_bonds,)
        f : callable
            As in `from_adjacency`.
        translations : bool
            Whether the translations of the lattice keep the weights; else the matrix is diagonalised whole.
        """
        none = (False,) * lattice.n_axes
        spectrum = _diagonalised(lattice, np.asarray(weights), lattice.pbc if translations else none)
        return cls(spectrum, _evaluate(f, spectrum.eigenvalues))

    @property
    def lattice(self) -> Lattice:
        """The lattice it acts on."""
        return self._spectrum.lattice

    @property
    def eigenvalues(self) -> NDArray[np.float64]:
        """Eigenvalues of the adjacency matrix, shape (n_sites,)."""
        return self._spectrum.eigenvalues.reshape(-1)

    @property
    def values(self) -> NDArray[np.float64]:
        """Eigenvalues of this operator, in the order of `eigenvalues`, shape (n_sites,)."""
        return self._values.reshape(-1)

    def function(self, g: Callable[[NDArray], NDArray]) -> LatticeOperator:
        """The operator g(f(A)); `g` acts on `values`, under the terms of `from_adjacency`."""
        return LatticeOperator(self._spectrum, _evaluate(g, self._values))

    def power(self, exponent: float) -> LatticeOperator:
        """The operator f(A)^exponent; ValueError where negative or zero values make that undefined.

        Examples
        --------
        >>> import lattices
        >>> root = LatticeOperator.from_adjacency(lattices.build("chain", (6,)), lambda w: w + 3.0).power(0.5)
        >>> round(float(root.values.min() ** 2), 12)
        1.0
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.function(lambda values: values**exponent)

    def apply(self, x: Tensor) -> Tensor:
        """f(A) x for fields x of shape (..., n_sites), float32 or float64; same shape, dtype and device.

        Raises
        ------
        ValueError
            If the last axis is not n_sites long, or the dtype is neither float32 nor float64.
        """
        n_sites = self.lattice.n_sites
        if x.ndim == 0 or x.shape[-1] != n_sites:
            raise ValueError(f"x must have shape (..., {n_sites}), got {tuple(x.shape)}")
        if x.dtype not in (torch.float32, torch.float64):
            raise ValueError(f"x must be float32 or float64, got {x.dtype}")
        if not self._spectrum.periodic or (n_sites < _DENSE_BELOW and x.device.type == "cpu"):
            return x @ self._table("dense", x)
        return self._apply_fourier(x, self._table("blocks", x))

    def to_dense(self) -> NDArray[np.float64]:
        """The matrix f(A) itself, shape (n_sites, n_sites), float64; for tests and small lattices."""
        if not self._spectrum.periodic:
            return (self._spectrum.vectors * self._values) @ self._spectrum.vectors.T
        identity = torch.eye(self.lattice.n_sites, dtype=torch.float64)
        matrix = self._apply_fourier(identity, torch.from_numpy(self._blocks())).numpy()
        return 0.5 * (matrix + matrix.T)

    def _apply_fourier(self, x: Tensor, blocks: Tensor) -> Tensor:
        spectrum, lattice = self._spectrum, self.lattice
        sizes = tuple(lattice.extent[axis] for axis in spectrum.periodic)
        dims = tuple(range(1, 1 + len(sizes)))
        if spectrum.eigenvalues.shape[-1] == 1:
            modes = torch.fft.rfftn(x.reshape(-1, *sizes), dim=dims)
            return torch.fft.irfftn(modes * blocks, s=sizes, dim=dims).reshape(x.shape)
        # Bring the axes to (batch, periodic axes, open axes, site in cell): the last two make up the block.
        axes = (*spectrum.periodic, *spectrum.open, len(lattice.extent))
        order = [0, *(1 + axis for axis in axes)]
        moved = x.reshape(-1, *lattice.extent, lattice.n_sites_per_cell).permute(order)
        modes = torch.fft.rfftn(moved.reshape(-1, *sizes, spectrum.eigenvalues.shape[-1]), dim=dims)
        modes = torch.einsum("...ab,n...b->n...a", blocks, modes)
        fields = torch.fft.irfftn(modes, s=sizes, dim=dims).reshape(moved.shape)
        return fields.permute([order.index(axis) for axis in range(len(order))]).reshape(x.shape)

    def _blocks(self) -> NDArray:
        """f of each block on the momenta that a real transform keeps; plain multipliers for 1x1 blocks."""
        n_half = self.lattice.extent[self._spectrum.periodic[-1]] // 2 + 1
        half = (slice(None),) * (len(self._spectrum.periodic) - 1) + (slice(n_half),)
        values, vectors = self._values[half], self._spectrum.vectors[half]
        if values.shape[-1] == 1:
            return np.ascontiguousarray(values[..., 0])
        return (vectors * values[..., None, :]) @ np.conj(np.swapaxes(vectors, -1, -2))

    def _table(self, kind: str, x: Tensor) -> Tensor:
        key = (kind, x.dtype, x.device)
        if key not in self._tables:
            table = self.to_dense() if kind == "dense" else self._blocks()
            single = np.complex64 if np.iscomplexobj(table) else np.float32
            # A tensor made in inference mode could not be used in a later gradient.
            with torch.inference_mode(False):
                table = table if x.dtype == torch.float64 else table.astype(single)
                self._tables[key] = torch.tensor(table, device=x.device)
        return self._tables[key]


def _evaluate(f: Callable[[NDArray], NDArray], eigenvalues: NDArray[np.float64]) -> NDArray[np.float64]:
    values = np.asarray(f(eigenvalues.copy()))
    if values.shape != eigenvalues.shape:
        raise ValueError(f"f must map shape {eigenvalues.shape} to itself, got {values.shape}")
    if np.iscomplexobj(values) or not np.isfinite(values).all():
        raise ValueError("f must be real and finite on all eigenvalues of the operator it is applied to")
    return values.astype(np.float64)
