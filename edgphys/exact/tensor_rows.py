# SPDX-License-Identifier: MIT
r"""Two-dimensional phi^4 torus as a small tensor network, contracted exactly row by row.

The bond factor is expanded in its optimal finite basis,

    exp(2 hop x y) = sum_a sign_a f_a(x) f_a(y),      a = 1 .. rank,

from the eigenvectors of ``g(x) exp(2 hop x y) g(y)``, with ``g`` close to the weight of one end of a bond
given its other neighbours, so that the dropped terms are those that matter least for Z; f_a is even or odd in
x. Integrating each site over its four bond indices and a weight ``x^p exp(-V(x))`` on a fine grid gives
tensors; a row of ``width`` sites is then a matrix of size ``rank^width``, and the torus the trace of
``length`` of them. The rank is the only approximation: errors fall faster than exponentially with it.
Insertions of the field (or of its fourth power) are carried as truncated power series in a source.

References
----------
Y. Shimizu, Mod. Phys. Lett. A 27, 1250035 (2012), doi:10.1142/S0217732312500356 (tensors of lattice phi^4).
D. Kadoh et al., JHEP 05 (2019) 184, doi:10.1007/JHEP05(2019)184.
"""

from __future__ import annotations

import math

import numpy as np

from edgphys.exact.quadrature import field_grid

__all__ = ["RowNetwork"]

_N_NODES = 400


class RowNetwork:
    """Row matrices of a phi^4 torus at one rank.

    Parameters
    ----------
    width, length : int
        Extents; a row has `width` sites, 2 to 4.
    hop, quadratic, quartic : float
        Action as in `edgphys.exact.transfer.phi4_torus`.
    rank : int
        Terms kept of each bond.
    """

    def __init__(
        self, width: int, length: int, hop: float, quadratic: float, quartic: float, rank: int
    ) -> None:
        self.width, self.length, self.rank = width, length, rank
        x, spacing = field_grid(quadratic - 4.0 * abs(hop), quartic, _N_NODES)
        potential = quadratic * x**2 + quartic * x**4
        # A constant per site keeps the traces within range; `log_scale` restores it.
        self._bias = -float((potential - 4.0 * abs(hop) * x**2).min())
        self._x = x
        self._weight = spacing * np.exp(-potential - self._bias)
        self._legs, self._signs = _bond_basis(x, potential, hop, rank)
        self._uniform = _RowStates(rank, width, shifts=width)
        self._general = _RowStates(rank, width, shifts=1)
        self._cache: dict[tuple[int, int], list[list[_Graded]]] = {}

    def log_scale(self) -> float:
        """What the logarithm of a trace lacks to be ln Z."""
        return self.width * self.length * self._bias

    def traces(self, power: int, source: np.ndarray, order: int) -> np.ndarray:
        """Series of ``Z(t) = Z < exp(t sum_xy source[x, y] phi^power) >``, up to `log_scale`.

        Parameters
        ----------
        power : int
            Power of the field that is inserted.
        source : float64 array, shape (width, length)
            Weight of each site.
        order : int
            Highest power of t.

        Returns
        -------
        float64 array, shape (order + 1,)
            Coefficients of t^0, t^1, ...
        """
        # A source that is uniform along the rows conserves the momentum along them: smaller blocks, and one
        # set of matrices for all strengths.
        if np.all(source == source[0]):
            unit = self._unit_row(power, order)
            sectors = [
                [[term.scaled(c**k) for k, term in enumerate(terms)] for c in source[0]] for terms in unit
            ]
            total = zip(self._uniform.multiplicities, sectors, strict=True)
            return sum((count * _trace_of_product(series, order) for count, series in total), np.zeros(()))
        sites = self._site_tensors(power, order)
        rows = {column.tobytes(): _row(sites, column, self._general)[0] for column in source.T}
        return _trace_of_product([rows[column.tobytes()] for column in source.T], order)

    def _unit_row(self, power: int, order: int) -> list[list[_Graded]]:
        """Series of the row matrix with unit source on every site, in each momentum sector; kept."""
        known = [n for p, n in self._cache if p == power and n >= order]
        if not known:
            row = _row(self._site_tensors(power, order), np.ones(self.width), self._uniform)
            self._cache[power, order] = row
            return row
        return [terms[: order + 1] for terms in self._cache[power, known[0]]]

    def _site_tensors(self, power: int, order: int) -> list[np.ndarray]:
        """Tensors (left, right, up, down) of a site with ``phi^(power k) / k!`` inserted, k <= order."""
        rank = self.rank
        pairs = (self._legs[:, None, :] * (self._signs[:, None] * self._legs)[None, :, :]).reshape(
            rank * rank, -1
        )
        parity = np.indices((rank,) * 4).sum(axis=0)
        tensors = []
        for k in range(order + 1):
            weight = self._weight * self._x ** (power * k) / math.factorial(k)
            tensor = ((pairs * weight) @ pairs.T).reshape(rank, rank, rank, rank)
            # Odd integrands vanish; exact zeros keep the blocks of the row matrices apart.
            tensors.append(np.where((parity + power * k) % 2, 0.0, tensor))
        return tensors


class _RowStates:
    """States of a row in orbits of cyclic shifts, and the blocks of a matrix that commutes with shifts.

    ``shifts=1`` stands for no symmetry. Momenta k and -k have equal traces by reflection: one stands for two.
    """

    def __init__(self, rank: int, width: int, shifts: int) -> None:
        indices = np.indices((rank,) * width).reshape(width, -1)
        place = rank ** np.arange(width - 1, -1, -1)
        shifted = np.stack([place @ np.roll(indices, j, axis=0) for j in range(shifts)])
        representatives = np.flatnonzero(shifted.min(axis=0) == np.arange(rank**width))
        self._orbit = shifted[:, representatives]
        returned = np.concatenate(
            [self._orbit[1:] == self._orbit[0], np.ones((1, len(representatives)), dtype=bool)]
        )
        self._period = 1 + np.argmax(returned, axis=0)
        self._odd = indices.sum(axis=0)[representatives] % 2 == 1
        self._shifts = shifts
        self.representatives = representatives
        self.multiplicities = [1.0 if 2 * k % shifts == 0 else 2.0 for k in range(shifts // 2 + 1)]

    def project(self, rows: np.ndarray) -> list[_Graded]:
        """Blocks, by momentum, of a matrix given by its rows at representatives, (n_orbits, n_states)."""
        images = [rows[:, orbit] for orbit in self._orbit]
        norm = np.sqrt(self._period[:, None] * self._period) / self._shifts
        blocks = []
        for momentum, multiplicity in enumerate(self.multiplicities):
            wave = np.exp(2j * np.pi * momentum * np.arange(self._shifts) / self._shifts)
            wave = np.rint(np.real(wave)) if multiplicity == 1.0 else wave
            matrix = norm * sum(phase * image for phase, image in zip(wave, images, strict=True))
            # An orbit of period p carries only momenta that are multiples of 2 pi / p.
            allowed = momentum * self._period % self._shifts == 0
            blocks.append(_Graded.split(matrix, allowed & ~self._odd, allowed & self._odd))
        return blocks


def _row(sites: list[np.ndarray], column: np.ndarray, states: _RowStates) -> list[list[_Graded]]:
    """Series of row matrices in every sector: site tensors times their sources, joined around the ring."""
    scaled = [[strength**k * tensor for k, tensor in enumerate(sites)] for strength in column]
    half = len(scaled) // 2
    left, right = _chain(scaled[half:]), _chain(scaled[:half])
    n_right = right[0].shape[2]
    sectors: list[list[_Graded]] = [[] for _ in states.multiplicities]
    for k in range(len(sites)):
        ring = _close(left[: k + 1], right[k::-1])
        rows = ring[states.representatives // n_right, :, states.representatives % n_right, :]
        for terms, block in zip(sectors, states.project(rows.reshape(len(rows), -1)), strict=True):
            terms.append(block)
    return sectors


def _bond_basis(x: np.ndarray, potential: np.ndarray, hop: float, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """Functions f_a on the grid, (rank, n_nodes), even and odd in turn, and their signs, (rank,)."""
    end = potential - 3.0 * abs(hop) * x**2
    g = np.exp(-(end - end.min()))
    # Symmetric and antisymmetric halves apart: parity is then exact, and a row matrix splits into two blocks.
    half = len(x) // 2
    right, g_right = x[half:], g[half:]
    legs, signs = np.empty((rank, len(x))), np.empty(rank)
    for parity, fold in ((0, np.cosh), (1, np.sinh)):
        kernel = 2.0 * fold(2.0 * hop * np.outer(right, right))
        values, vectors = np.linalg.eigh(g_right[:, None] * kernel * g_right)
        chosen = np.argsort(-np.abs(values))[: len(range(parity, rank, 2))]
        # Extended from the eigenvector by the kernel itself: smooth where g is tiny, with no division by g.
        extension = fold(2.0 * hop * np.outer(x, right)) @ (g_right[:, None] * vectors[:, chosen])
        size = np.abs(values[chosen])
        scale = np.divide(
            math.sqrt(2.0), np.sqrt(size), out=np.zeros_like(size), where=size > 1e-15 * size.max(initial=0.0)
        )
        legs[parity::2] = (extension * scale).T
        signs[parity::2] = np.sign(values[chosen])
    return legs, signs


class _Graded:
    """Square matrix between even and odd states: blocks by (row parity, column parity); None where zero."""

    __slots__ = ("blocks",)

    def __init__(self, blocks: dict[tuple[int, int], np.ndarray]) -> None:
        self.blocks = blocks

    @classmethod
    def split(cls, matrix: np.ndarray, even: np.ndarray, odd: np.ndarray) -> _Graded:
        """Blocks of `matrix` between the states selected by two masks."""
        index = (np.flatnonzero(even), np.flatnonzero(odd))
        blocks = {(a, b): matrix[np.ix_(index[a], index[b])] for a in (0, 1) for b in (0, 1)}
        return cls({key: block for key, block in blocks.items() if np.any(block)})

    def scaled(self, factor: float) -> _Graded:
        return self if factor == 1.0 else _Graded({key: factor * block for key, block in self.blocks.items()})

    def __matmul__(self, other: _Graded) -> _Graded:
        blocks: dict[tuple[int, int], np.ndarray] = {}
        for (a, b), left in self.blocks.items():
            for c in (0, 1):
                if (b, c) in other.blocks:
                    product = left @ other.blocks[b, c]
                    blocks[a, c] = blocks[a, c] + product if (a, c) in blocks else product
        return _Graded(blocks)

    def add(self, other: _Graded) -> _Graded:
        keys = {**self.blocks, **other.blocks}
        both = self.blocks.keys() & other.blocks.keys()
        return _Graded(
            {key: self.blocks[key] + other.blocks[key] if key in both else keys[key] for key in keys}
        )

    def trace_with(self, other: _Graded) -> float:
        """``tr(self @ other)``."""
        return math.fsum(
            float(np.sum(block * other.blocks[b, a].T).real)
            for (a, b), block in self.blocks.items()
            if (b, a) in other.blocks
        )


def _chain(sites: list[list[np.ndarray]]) -> list[np.ndarray]:
    """Series of an open chain of sites, legs (left, right, U, D)."""
    chain = sites[0]
    for site in sites[1:]:
        chain = [
            sum((_join(chain[j], site[k - j]) for j in range(k + 1)), np.zeros(())) for k in range(len(chain))
        ]
    return chain


def _join(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Contract a chain (a, b, U, D) with one more site (b, c, u, d) to (a, c, U u, D d)."""
    joined = np.einsum("abUD,bcud->acUuDd", left, right, optimize=True)
    a, c, u_0, u_1, d_0, d_1 = joined.shape
    return joined.reshape(a, c, u_0 * u_1, d_0 * d_1)


def _close(left: list[np.ndarray], right: list[np.ndarray]) -> np.ndarray:
    """Sum over pairs of two chains (a, b, U, D) and (b, a, u, d) joined into a ring: (U, D, u, d)."""
    return np.tensordot(np.stack(left), np.stack(right), axes=((0, 1, 2), (0, 2, 1)))


def _product(left: list[_Graded], right: list[_Graded]) -> list[_Graded]:
    """Product of two series of matrices, to the same order."""
    series = []
    for k in range(len(left)):
        term = left[0] @ right[k]
        for j in range(1, k + 1):
            term = term.add(left[j] @ right[k - j])
        series.append(term)
    return series


def _trace_of_product(rows: list[list[_Graded]], order: int) -> np.ndarray:
    """Series of the trace of a product of rows; equal halves are multiplied once."""
    half = len(rows) // 2
    first, second = _multiply(rows[:half]), _multiply(rows[half:])
    return np.array(
        [math.fsum(first[j].trace_with(second[k - j]) for j in range(k + 1)) for k in range(order + 1)]
    )


def _multiply(rows: list[list[_Graded]]) -> list[_Graded]:
    """Product of a list of rows, reusing the square of equal neighbours."""
    while len(rows) > 1:
        cache: dict[tuple[int, int], list[_Graded]] = {}
        merged = []
        for left, right in zip(rows[::2], rows[1::2], strict=False):
            key = (id(left), id(right))
            if key not in cache:
                cache[key] = _product(left, right)
            merged.append(cache[key])
        rows = merged + ([rows[-1]] if len(rows) % 2 else [])
    return rows[0]
