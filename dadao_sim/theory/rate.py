"""The exact mean-square rate of an asynchronous method on quadratics, and what limits it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dadao_sim.algorithms.contract.method import Method
from dadao_sim.algorithms.contract.options import NO_OPTIONS, Options
from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.theory.equal_curvature import EqualEnergies
from dadao_sim.theory.linear_events import LinearEvents
from dadao_sim.theory.minibatches import GradientNoise
from dadao_sim.theory.perron import Energies
from dadao_sim.theory.setting import Setting
from dadao_sim.theory.steps import growth_of_steps
from dadao_sim.theory.symmetric import ModalEnergies

if TYPE_CHECKING:
    from dadao_sim.problems import Problem

NOISE = 0.01  # a rate that misses the drift's by less than this share is the drift's
ALIKE = 1e-9  # by which eigenvalues may differ and count as one, relative


@dataclass(frozen=True)
class Limit:
    """Where the slowest part of a second moment lies.

    - cause: "drift" where the mean itself decays no faster, within a hundredth; "events" where
      their randomness holds the second moment back.
    - coordinate: along which axis of the Hessians; None where these do not commute.
    - curvatures: the least and the largest of the nodes' along that axis; None likewise.
    - mode: the eigenvalue (per unit of time) of the Laplacian of the gossip rates whose
      eigenvectors hold most of the error of the estimates; 0 is that of their mean.
    - share: how much of it they hold.
    """

    cause: Literal["drift", "events"]
    coordinate: int | None
    curvatures: tuple[float, float] | None
    mode: float
    share: float


@dataclass(frozen=True)
class ExactRate:
    """E||s_t - s*||^2 grows as e^{sigma t}, t in units of time (n gradients in the mean).

    - sigma: its exponent, negative where the method converges in mean square. What gossip
      conserves is no part of s.
    - drift: that of ||E s_t - s*||^2, never larger.
    - linearised: whether the f_i are not quadratic, so that this is the rate near x*.
    - limit: what it is that is slow.
    """

    sigma: float
    drift: float
    linearised: bool
    limit: Limit

    @property
    def is_stable(self) -> bool:
        """Whether the second moment decays."""
        return self.sigma < 0


@one_blas_thread()
def exact_rate(
    method: str | Method,
    problem: "Problem",
    network: Any,
    overrides: Mapping[str, float] = {},
    options: Options = NO_OPTIONS,
) -> ExactRate:
    """The exponent of the mean square error of ``method`` on ``problem`` over ``network``.

    For asynchronous methods that are linear but for the gradients of the f_i, or of their
    conjugates; that they are is found by playing their functions. Exact for quadratics; for other
    problems the rate near x*, with the Hessians there. Time grows with the cube of nodes x blocks
    (16 nodes: milliseconds, 128: half a minute) for each axis along which Hessians that commute
    differ, and of nodes x blocks x d for others; it hardly grows where all nodes have the same
    curvature and all nodes and edges of the graph are alike. Rounding grows with L/mu: a rate has
    three digits at 1e7, and above it none is given. With ``options.batch_size`` the gradients are
    those of minibatches of squares, and the rate is that towards the plateau.

    Raises InputError, with the reason, for other methods, sequences of graphs, local steps, and
    what is too large.
    """
    setting = Setting.of(method, problem, network, overrides, options)
    found = list(_rates(setting, options.batch_size))
    return max(found, key=lambda rate: rate.sigma)


def _rates(setting: Setting, batch_size: int | None) -> Iterator[ExactRate]:
    """One for each coordinate, or one of all: minibatches couple what commutes."""
    if batch_size is not None:
        noise = GradientNoise.of(setting.played, setting.problem, batch_size)
        yield _rate(setting, setting.whole(), None, noise)
        return
    if setting.coordinates is None:
        yield _rate(setting, setting.whole(), None)
        return
    for coordinate in setting.coordinates:
        if setting.modes is not None and setting.quadratics.is_equal(coordinate):
            yield _modal_rate(setting, coordinate)
        else:
            yield _rate(setting, setting.along(coordinate), coordinate)


def is_stable(setting: Setting) -> bool:
    """Whether the second moment decays along every axis."""
    if setting.played.counted:
        return all(growth_of_steps(events).sigma < 0 for events in setting.systems())
    if setting.coordinates is None:
        return Energies(setting.whole()).is_stable
    return all(energies_along(setting, c).is_stable for c in setting.coordinates)


AnyEnergies = Energies | ModalEnergies | EqualEnergies


def energies_along(setting: Setting, coordinate: int) -> AnyEnergies:
    """The map whose Perron root tells the growth, by modes where it can be."""
    if setting.quadratics.is_equal(coordinate):
        h = float(setting.quadratics.curvatures[0, coordinate])
        if setting.modes is not None:
            return ModalEnergies(setting.played, setting.modes, h)
        if setting.spectrum is not None:
            return EqualEnergies(setting.played, setting.spectrum, h)
    return Energies(setting.along(coordinate))


def _rate(
    setting: Setting,
    events: LinearEvents,
    coordinate: int | None,
    noise: GradientNoise | None = None,
) -> ExactRate:
    counted = setting.played.counted
    growth = growth_of_steps(events) if counted else Energies(events, noise).growth()
    laplacian = setting.network.laplacian(setting.played.edge_rates).toarray()
    values, vectors = np.linalg.eigh(laplacian)
    values[0] = 0.0
    n, c = setting.network.nodes, events.coordinates
    errors = (events.estimate @ growth.moment @ events.estimate.T).reshape(n, c, n, c)
    shares = np.einsum("ik,icjc,jk->k", vectors, errors, vectors)
    return _with_limit(setting, growth.sigma, growth.drift, values, shares, coordinate)


def _modal_rate(setting: Setting, coordinate: int) -> ExactRate:
    energies = energies_along(setting, coordinate)
    assert isinstance(energies, ModalEnergies)
    growth = energies.growth()
    values = energies.modes.values * setting.played.edge_rates[0]
    return _with_limit(setting, growth.sigma, growth.drift, values, growth.shares, coordinate)


def _with_limit(
    setting: Setting,
    sigma: float,
    drift: float,
    values: np.ndarray,
    shares: np.ndarray,
    coordinate: int | None,
) -> ExactRate:
    shares = shares / shares.sum()
    largest = int(shares.argmax())
    same = np.abs(values - values[largest]) <= ALIKE * values.max()
    curvatures = None
    if coordinate is not None:
        h = setting.quadratics.curvatures[:, coordinate]
        curvatures = float(h.min()), float(h.max())
    limit = Limit(
        cause="drift" if sigma - drift <= NOISE * abs(drift) else "events",
        coordinate=coordinate,
        curvatures=curvatures,
        mode=float(values[largest]),
        share=float(shares[same].sum()),
    )
    return ExactRate(sigma, drift, setting.quadratics.linearised, limit)
