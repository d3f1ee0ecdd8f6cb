# SPDX-License-Identifier: MIT
r"""The law of a cluster that grows from a centre particle, one particle after the other.

The others are drawn in the order of their distances r_1 <= r_2 <= .. from the centre, each from

    q(x | placed) = rho(r | k, r_{k-1}) / r^{D-1} exp(-e(x) - v(x)) / N,

rho a tabulated law of the radius beyond r_{k-1}, e the pair energy with what is placed, v a network of
invariants (`edgphys.edg.growth.features`) and of log rho; for the last, whose law is exp(-e) times the choice
of the centre (`edgphys.edg.growth.centre`), v takes rho and the power of r back. The normaliser is that of
trials in two stages: A the mean of exp(-e) / g over trials from rho g (`edgphys.edg.growth.trials`), B that
of exp(-v) over picks among them, of which one is taken with probability exp(-v) / sum exp(-v):

    log q = sum_k [ log rho - (D - 1) log r - e - v - log A - log B ] .

On the space extended by the trials E[exp(-U) / q] is the integral of exp(-U) over the ordered sector, for any
number of trials and any network: where x is given, it counts among its own trials and picks.

References
----------
Rosenbluth, Rosenbluth, J. Chem. Phys. 23, 356 (1955). Andrieu, Doucet, Holenstein, J. R. Stat. Soc. B 72, 269
(2010) (weights on a space extended by all trials).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import cast, final

import numpy as np
import torch
from torch import Tensor, nn

from edgphys._threads import cpu_count
from edgphys.edg.core.module import Module
from edgphys.edg.growth.centre import log_choice
from edgphys.edg.growth.features import N_FEATURES, fill_features
from edgphys.edg.growth.radial_law import log_prob_of_steps, piecewise, widened
from edgphys.edg.growth.scales import N_STEPS, Scales, pair_table
from edgphys.edg.growth.trials import draw_trials
from edgphys.mcmc.random.xoshiro import new_state
from edgphys.systems.particles.base import AbstractParticleSystem

__all__ = ["GrowthLaws"]

# Rows of picks whose invariants are held at a time.
_MOST_ROWS = 512
# Rows of a task of a thread: always as many, so that the number of threads changes nothing.
_ROWS_AT_ONCE = 64
# Rows of weights that the particles of a large cluster blend: neighbours have nearly the same law.
_N_BLENDED = 10
# Of the steps to the last particle: its law is exact, but weights are large where trials are rare, far out.
_EVEN_SHARE = 0.1
# Size that invariants are given, over that of their scatter, and what is added for those that hardly scatter.
_SIZES, _LEAST_SIZE = 2.0, 0.1


@final
class GrowthLaws(Module):
    """Networks and tables of one system.

    Parameters
    ----------
    system : AbstractParticleSystem
    width, depth : int
        Hidden units, and layers of them.
    n_trials, n_picks : int
        Trials of a particle, on average, and picks among them.
    seed : int
        Of the initial weights.

    Attributes
    ----------
    n_trials : int64 tensor, shape (n_particles - 1,)
        Of each particle.
    witnesses : tensor, shape (n_witnesses, n_particles * n_axes)
        Configurations of chains, kept to show what the laws have lost; none at first.
    """

    ranges: Tensor
    maps: Tensor
    edges: Tensor
    contact: Tensor
    contact_bins: Tensor
    n_trials: Tensor
    witnesses: Tensor
    blend: Tensor
    middle: Tensor
    size: Tensor

    def __init__(
        self,
        system: AbstractParticleSystem,
        *,
        width: int,
        depth: int = 2,
        n_trials: int,
        n_picks: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.system, self.n_picks = system, n_picks
        self.n_grown = system.n_particles - 1
        generator = torch.Generator().manual_seed(seed)

        def linear(n_in: int, n_out: int, gain: float = 1.0) -> nn.Linear:
            layer = nn.Linear(n_in, n_out)
            with torch.no_grad():
                layer.weight.copy_(torch.randn(n_out, n_in, generator=generator) * gain / math.sqrt(n_in))
                layer.bias.zero_()
            return layer

        blend = _blend(self.n_grown)

        def table(n_out: int, n_rows: int = self.n_grown) -> nn.Parameter:
            return nn.Parameter(torch.zeros(n_rows, n_out))

        self.radial = nn.ModuleList([linear(3, width), linear(width, width), linear(width, N_STEPS, 0.0)])
        self.radial_start, self.radial_table = table(width), table(N_STEPS)
        sizes = [N_FEATURES, *[width] * depth]
        self.hidden = nn.ModuleList([linear(a, b) for a, b in pairwise(sizes)])
        self.hidden.append(linear(width, 1, 0.0))
        self.hidden_start, self.direct = (table(n, blend.shape[1]) for n in (width, N_FEATURES))
        self.taken_back = table(1)
        self.register_buffer("blend", blend, persistent=False)
        self.register_buffer("n_trials", torch.full((self.n_grown,), n_trials, dtype=torch.int64))
        self.register_buffer("witnesses", torch.zeros(0, system.n_particles * system.n_axes))
        self.register_buffer("middle", torch.zeros(self.n_grown, N_FEATURES))
        self.register_buffer("size", torch.ones(self.n_grown, N_FEATURES))
        for name in ("ranges", "maps", "edges", "contact", "contact_bins"):
            self.register_buffer(name, torch.zeros(0, dtype=torch.float64))
        start = system.random_configurations(256, np.random.default_rng(seed))
        self.set_scales(system.to_configurations(torch.from_numpy(start), None).numpy())

    def set_scales(self, positions: np.ndarray) -> None:
        """Tabulate on the lengths of configurations, shape (n, n_particles, n_axes)."""
        scales = Scales.of(np.asarray(positions, dtype=np.float64))
        device = self.ranges.device
        for name in ("ranges", "maps", "edges", "contact", "contact_bins"):
            setattr(self, name, torch.from_numpy(getattr(scales, name)).to(device))
        self._forget_table()

    @torch.no_grad()
    def set_invariants(self, grown: Tensor, generator: torch.Generator) -> None:
        """Measure invariants from the middle of those at picks around given clusters, in units of their size.

        They are sums over all that is placed, of which most is common to all picks of a particle.
        """
        self.middle.zero_()
        self.size.fill_(1.0)
        placed, k, given = _histories(grown.double())
        radial = self.radial_law(k, self._previous(placed, k))
        *_, seen = self._pick(placed, k, radial, generator, given, 1.0)
        seen = seen.view(len(grown), self.n_grown, -1, N_FEATURES)
        self.middle.copy_(seen.mean((0, 2)))
        self.size.copy_(_SIZES * (seen.std((0, 2)) + _LEAST_SIZE))

    def _forget_table(self) -> None:
        self._table: tuple | None = None

    def _load_from_state_dict(self, state_dict, prefix, *more):
        """As torch does it; the number of witnesses is that of the state."""
        kept = state_dict.get(prefix + "witnesses")
        if kept is not None:
            self.witnesses = torch.empty_like(kept, device=self.device)
        super()._load_from_state_dict(state_dict, prefix, *more)
        self._forget_table()

    @property
    def device(self) -> torch.device:
        """Where the weights are; trials are made on the CPU."""
        return self.direct.device

    @property
    def n_axes(self) -> int:
        """Of space."""
        return self.system.n_axes

    @property
    def n_pairs(self) -> int:
        """Pairs of all trials of a cluster, whose energies are asked for."""
        return int((self.n_trials.cpu() * torch.arange(1, self.n_grown + 1)).sum())

    def _tables(self) -> tuple:
        """Law, contacts, edges and ranges as the kernels take them."""
        if self._table is None:
            ranges = self.ranges.cpu().numpy()
            low, width = (float(v) for v in self.contact_bins.cpu())
            law = pair_table(self.system, float(ranges[1]))
            self._table = (
                law,
                (self.contact.cpu().numpy(), low, 1.0 / width),
                self.edges.cpu().numpy(),
                ranges,
                self.maps.cpu().numpy(),
            )
        return self._table

    def radial_law(self, k: Tensor, previous: Tensor) -> tuple[Tensor, Tensor]:
        """rho at the edges of its steps: cumulative, and log of its density, (n_rows, N_STEPS), float64."""
        x = (previous / self.ranges[1]).float()
        seen = torch.stack([x, x * x, torch.sqrt(x.clamp_min(0.0))], 1)
        h = nn.functional.silu(self.radial[0](seen) + self.radial_start[k])
        h = nn.functional.silu(self.radial[1](h))
        edges, last = self.edges[k], (k == self.n_grown - 1)[:, None]
        learned = piecewise((self.radial[2](h) + self.radial_table[k]).double(), edges)
        if not bool(last.any()):
            return learned
        share = torch.where(last, _EVEN_SHARE, 0.0).double()
        return piecewise(widened(learned[1], edges, share), edges)

    def network(self, k: Tensor, features: Tensor, log_base: Tensor, exact: Tensor) -> Tensor:
        """v, float64, (n_rows, n_picks), from invariants and log of rho / r^{D-1}; of the last `exact`."""
        shares, (first, *more, last) = self.blend[k], cast(Sequence[nn.Linear], self.hidden)
        # One product for hidden units and all rows of the direct part, of which each particle blends its own.
        width = first.out_features
        both = nn.functional.linear(features, torch.cat([first.weight, self.direct]))
        h = nn.functional.silu(both[..., :width] + (shares @ self.hidden_start + first.bias)[:, None])
        for layer in more:
            h = nn.functional.silu(layer(h))
        value = last(h)[..., 0] + (both[..., width:] @ shares[..., None])[..., 0]
        value = value.double() + self.taken_back[k].double() * log_base
        return torch.where((k < self.n_grown - 1)[:, None], value, exact)

    def place(
        self,
        placed: Tensor,
        k: Tensor,
        generator: torch.Generator,
        given: Tensor | None = None,
        effort: float = 1.0,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Picks of the next particle of every row.

        Parameters
        ----------
        placed : float64 tensor, shape (n_rows, n_particles, n_axes)
            The centre first; those after the first k + 1 are not looked at.
        k : int64 tensor, shape (n_rows,)
            From 0: number of the next particle.
        generator : torch.Generator
        given : float64 tensor, shape (n_rows, n_axes), optional
            Its position, then the first pick.
        effort : float
            Part of the trials, and the root of twice that of the picks, at most all.

        Returns
        -------
        points : float64 tensor, shape (n_rows, n_picks, n_axes)
        values : float64 tensor, shape (n_rows, n_picks)
            v of each.
        log_prob : float64 tensor, shape (n_rows, n_picks)
            Of the density of each, with the trials that there are.
        """
        previous = self._previous(placed, k)
        radial = self.radial_law(k, previous)
        points, energy, log_a, features = self._pick(placed, k, radial, generator, given, effort)
        radius = points.norm(dim=2)
        log_radial = log_prob_of_steps(self.edges[k], radial[1], radius - previous[:, None])
        if given is None:  # A knows of rho too: only where the position is given is this the whole gradient
            log_radial = log_radial.detach()
        log_base = log_radial - (self.n_axes - 1) * torch.log(radius)
        exact = log_base.detach() - self._log_choice_by_last(placed, k, points)
        values = self.network(k, features, log_base.detach(), exact)
        log_b = torch.logsumexp(-values, 1) - math.log(values.shape[1])
        return points, values, log_base - energy - values - (log_a + log_b)[:, None]

    def _log_choice_by_last(self, placed: Tensor, k: Tensor, points: Tensor) -> Tensor:
        """log of the choice of the centre once the last particle is there, (n_rows, n_picks); else 0."""
        found, last = torch.zeros_like(points[..., 0]), k == self.n_grown - 1
        points = points[last]
        before = placed[last, None, :-1].expand(-1, points.shape[1], -1, -1)
        found[last] = log_choice(torch.cat([before, points[:, :, None]], 2))[..., 0]
        return found

    def _previous(self, placed: Tensor, k: Tensor) -> Tensor:
        """Distance of the last placed one from the centre."""
        return placed[torch.arange(len(k), device=k.device), k].norm(dim=1)

    def _pick(
        self,
        placed: Tensor,
        k: Tensor,
        radial: tuple[Tensor, Tensor],
        generator: torch.Generator,
        given: Tensor | None,
        effort: float,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Picks, their e, log A, and their invariants in units of their size."""
        law, contact, edges, ranges, maps = self._tables()
        middle, scale = self.middle.cpu().numpy(), (1.0 / self.size).cpu().numpy()
        at, n_placed = placed.cpu().numpy(), (k + 1).cpu().numpy()
        previous = self._previous(placed, k).cpu().numpy()
        cumulative, log_density = (one.detach().cpu().numpy() for one in radial)
        n_trials = (effort * self.n_trials[k]).long().clamp_min(2).cpu().numpy()
        n_picks = max(2, round(min(1.0, math.sqrt(2.0 * effort)) * self.n_picks))
        picks = np.empty((len(k), n_picks, self.n_axes))
        if given is not None:
            picks[:, 0] = given.cpu().numpy()
        energies, log_a = np.empty(picks.shape[:2]), np.empty(len(k))
        features = np.empty((*energies.shape, N_FEATURES), dtype=np.float32)
        seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))

        def fill(begin: int) -> None:
            rows = slice(begin, begin + _ROWS_AT_ONCE)
            log_a[rows] = draw_trials(
                at[rows],
                n_placed[rows],
                previous[rows],
                (cumulative[rows], log_density[rows]),
                edges,
                n_trials[rows],
                law,
                contact,
                given is not None,
                new_state(np.random.SeedSequence(seed, spawn_key=(begin,))),
                picks[rows],
                energies[rows],
            )
            of_picks = picks[rows], energies[rows], ranges, maps, middle, scale, features[rows]
            fill_features(at[rows], n_placed[rows], previous[rows], *of_picks)

        begins = range(0, len(k), _ROWS_AT_ONCE)
        with ThreadPoolExecutor(max(1, min(cpu_count(), len(begins)))) as pool:
            list(pool.map(fill, begins))
        points, energy, log_means, seen = (
            torch.from_numpy(v).to(self.device) for v in (picks, energies, log_a, features)
        )
        return points, energy, log_means, seen

    def draw(self, n_samples: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Positions relative to the centre, in order, (n_samples, n_particles - 1, n_axes), and log q."""
        like = {"dtype": torch.float64, "device": self.device}
        placed = torch.zeros(n_samples, self.n_grown + 1, self.n_axes, **like)
        total, rows = torch.zeros(n_samples, **like), torch.arange(n_samples, device=self.device)
        for number in range(self.n_grown):
            k = torch.full((n_samples,), number, device=self.device)
            points, values, log_prob = self.place(placed, k, generator)
            shares = torch.softmax(-values.detach(), 1)
            chosen = torch.multinomial(shares, 1, generator=generator)[:, 0]
            placed = placed.index_put((rows, k + 1), points[rows, chosen])
            total = total + log_prob[rows, chosen]
        return placed[:, 1:], total

    def radial_terms(self, grown: Tensor) -> Tensor:
        """log rho of every particle of given clusters, (n_batch, n_particles - 1)."""
        radii = nn.functional.pad(grown.double().norm(dim=2), (1, 0))
        k = torch.arange(self.n_grown, device=grown.device).repeat(len(grown))
        _, log_density = self.radial_law(k, radii[:, :-1].reshape(-1))
        steps = radii.diff(dim=1).reshape(-1, 1)
        return log_prob_of_steps(self.edges[k], log_density, steps).view(-1, self.n_grown)

    def log_terms(self, grown: Tensor, generator: torch.Generator, effort: float = 1.0) -> Tensor:
        """log q of every particle of given clusters, with trials drawn anew, (n_batch, n_particles - 1)."""
        # Without a gradient to keep, few clusters at a time: all invariants of all picks are large.
        at_once = max(1, len(grown)) if torch.is_grad_enabled() else max(1, _MOST_ROWS // self.n_grown)
        terms = []
        for part in grown.double().split(at_once):
            placed, k, given = _histories(part)
            log_prob = self.place(placed, k, generator, given, effort)[2]
            terms.append(log_prob[:, 0].view(-1, self.n_grown))
        return torch.cat(terms)


def _blend(n_grown: int) -> Tensor:
    """Shares of the rows that particles have together, (n_grown, n_rows), by linear interpolation.

    Finer for the inner ones, whose laws differ most; a row of its own for each of a few.
    """
    if n_grown <= 2 * _N_BLENDED:
        return torch.eye(n_grown)
    at = torch.sqrt(torch.arange(n_grown) / (n_grown - 1.0)) * (_N_BLENDED - 1)
    return (1.0 - (at[:, None] - torch.arange(_N_BLENDED)).abs()).clamp_min(0.0)


def _histories(grown: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of every particle of every cluster: what is placed, its number, its position."""
    n_batch, n_grown, n_axes = grown.shape
    placed = nn.functional.pad(grown, (0, 0, 1, 0))
    placed = placed[:, None].expand(-1, n_grown, -1, -1).reshape(-1, n_grown + 1, n_axes)
    k = torch.arange(n_grown, device=grown.device).repeat(n_batch)
    return placed, k, grown.reshape(-1, n_axes)
