"""Meeting: agents that move under limits agree on a point to meet at (consensus MPC).

Agent i is at p_0 with velocity v_0 in the plane and chooses inputs u_0, ..., u_{N-1}:
p_{k+1} = p_k + h v_k + (h^2/2) u_k, v_{k+1} = v_k + h u_k, with ||u_k||_1 and ||v_k||_1 limited.
f_i(x) is what it costs agent i to come near x and to rest there,

    min_u (w/2) ||p_N - x||^2 + (s/2) ||v_N||^2 + (r/2) sum_k ||u_k||^2,

the value of a quadratic programme whose parameter is theta = (x - p_0, v_0): one function of theta
serves all agents. It is convex, with exact constants; a gradient takes a solution of the programme,
or a convex surrogate of the value answers it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field, Strict, model_validator

from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.engine import oracles
from dadao_sim.errors import InputError, within
from dadao_sim.memory import Need
from dadao_sim.problems.data.arrays import FloatArray, IntArray
from dadao_sim.problems.kinds.convex_surrogate import (
    ConvexSurrogate,
    SurrogateProblem,
    load_surrogate,
)
from dadao_sim.problems.kinds.kind import ProblemKind
from dadao_sim.problems.kinds.nesterov import minimiser
from dadao_sim.problems.kinds.oracle import OneOracle, Oracle
from dadao_sim.problems.kinds.parametric_programme import ParametricProgramme, Solution
from dadao_sim.problems.kinds.problem import Problem
from dadao_sim.strict import FileOrShipped, NotNegative, Positive, misuse
from dadao_sim.text.cards import Card

PLANE = 2
SLACK = 1e-9
"""Relative, within which a box holds a point."""
L1_BALL = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
"""||z||_1 <= r where every row of this times z is."""


class MeetingForm(NamedTuple):
    """What all agents have in common."""

    horizon: int = 6
    interval: float = 0.5
    input_limit: float = 1.0
    speed_limit: float = 1.2
    weight: float = 4.0
    final_speed: float = 2.0
    effort: float = 0.2

    def states(self) -> tuple[FloatArray, FloatArray]:
        """What (p_0, v_0) and u make of the states (p_k, v_k), k = 0, ..., N: (N + 1, 4, 4) and
        (N + 1, 4, 2 N).
        """
        N, h = self.horizon, self.interval
        step = np.kron(np.array([[1.0, h], [0.0, 1.0]]), np.eye(PLANE))
        push = np.kron(np.array([[h * h / 2], [h]]), np.eye(PLANE))
        of_start, of_inputs = np.empty((N + 1, 4, 4)), np.zeros((N + 1, 4, PLANE * N))
        of_start[0] = np.eye(4)
        for k in range(N):
            of_start[k + 1] = step @ of_start[k]
            of_inputs[k + 1] = step @ of_inputs[k]
            of_inputs[k + 1, :, PLANE * k : PLANE * (k + 1)] = push
        return of_start, of_inputs

    def programme(self) -> ParametricProgramme:
        """In theta = (x - p_0, v_0)."""
        of_start, of_inputs = self.states()
        N, m = self.horizon, of_inputs.shape[2]
        from_x = np.diag([-1.0, -1.0, 1.0, 1.0])  # the state, with x as origin
        weights = np.repeat([self.weight, self.final_speed], PLANE)
        T, S = of_start[N] @ from_x, of_inputs[N]
        speed, speed_of_start = of_inputs[1:, PLANE:], (of_start[1:] @ from_x)[:, PLANE:]
        inputs = np.kron(np.eye(N), L1_BALL)
        return ParametricProgramme(
            Q=(S.T * weights) @ S + self.effort * np.eye(m),
            C=(S.T * weights) @ T,
            R=(T.T * weights) @ T,
            G=np.vstack([inputs, (L1_BALL @ speed).reshape(-1, m)]),
            E=np.vstack([np.zeros((4 * N, 4)), (L1_BALL @ speed_of_start).reshape(-1, 4)]),
            c=np.repeat([self.input_limit, self.speed_limit], 4 * N),
        )


# ---- Oracles -------------------------------------------------------------------------------------


class ExactValue(Oracle):
    """A solver answers every gradient."""

    kind: Literal["exact"] = Field(default="exact", description="the solution of the programme")


class SurrogateValue(Oracle):
    """A convex surrogate of the value answers gradients; what is measured is the value itself."""

    reference = "liu2025learning"

    kind: Literal["surrogate"] = Field(
        default="surrogate", description="an input-convex network that learned the value"
    )
    surrogate: FileOrShipped = Field(
        description="name of a shipped one (meeting, meeting_self), or an .npz file of "
        "`learn-surrogate`, relative to the scenario file"
    )


EXACT = ExactValue()


@dataclass(frozen=True)
class ExactMeeting:
    """The f_i by the solver, under the engine's signatures; ``agents`` (n, 4) are (p_0, v_0)."""

    programme: ParametricProgramme
    agents: FloatArray

    def theta(self, i: int, x: FloatArray) -> FloatArray:
        """(x - p_0, v_0) of agent i."""
        theta = self.agents[i].copy()
        theta[:PLANE] = x - theta[:PLANE]
        return theta

    def solve(self, i: int, x: FloatArray) -> tuple[Solution, FloatArray]:
        """The inputs of agent i, with theta."""
        theta = self.theta(i, x)
        return self.programme.solve(theta), theta

    def gradient(self, i: int, x: FloatArray, mark: object, out: FloatArray) -> None:
        """Write grad f_i(x) into out (2,)."""
        out[:] = self.programme.slope(*self.solve(i, x))[:PLANE]


oracles.gradient.register(ExactMeeting, ExactMeeting.gradient)


# ---- The problem ---------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class MeetingProblem(Problem):
    """F is that of the programmes, whatever answers the gradients; mu and L are those of what does:
    a method goes where its gradients lead, by their constants.
    """

    form: MeetingForm
    exact: ExactMeeting
    surrogate: SurrogateProblem | None = None

    @property
    def nodes(self) -> int:
        """Number of agents n."""
        return len(self.exact.agents)

    @property
    def dimension(self) -> int:
        """2."""
        return PLANE

    @property
    def objective(self) -> ExactMeeting:
        """The exact one."""
        return self.exact

    @property
    def has_conjugate(self) -> bool:
        """It has no closed form."""
        return False

    @property
    def hessians(self) -> Literal["varying"]:
        """Constant between the kinks of the gradient."""
        return "varying"

    def hessian(self, x: ArrayLike) -> FloatArray:
        """See :meth:`Problem.hessian`."""
        point, solve = self._point(x), self.exact.solve
        each = [self.exact.programme.hessian(solve(i, point)[0]) for i in range(self.nodes)]
        return np.mean(each, axis=0)[:PLANE, :PLANE]

    @property
    def oracle_objective(self) -> Any:
        """See :attr:`Problem.oracle_objective`."""
        return self.exact if self.surrogate is None else self.surrogate.objective

    @property
    def has_exact_oracle(self) -> bool:
        """See :attr:`Problem.has_exact_oracle`."""
        return self.surrogate is None

    def with_oracle(self, oracle: Any) -> "MeetingProblem":
        """See :meth:`Problem.with_oracle`."""
        if isinstance(oracle, ExactValue):
            return replace(self, surrogate=None)
        if not isinstance(oracle, SurrogateValue):
            raise InputError("oracle", f"{oracle.kind} is none of problem meeting", "use exact")
        with within("oracle"):
            surrogate, metadata = load_surrogate(oracle.surrogate)
        agents = self.exact.agents
        _require_trained_for(self.form, surrogate, metadata)
        _require_inside(agents, surrogate.box)
        points = np.hstack([-agents[:, :PLANE], agents[:, PLANE:]])
        return replace(self, surrogate=surrogate.problem(points), given_x_star=self.x_star)

    @cached_property
    def found(self) -> FloatArray:
        """Where methods end: the minimiser (2,) of what answers the gradients."""
        return self.x_star if self.surrogate is None else self.surrogate.x_star

    @property
    def mean_of_positions(self) -> FloatArray:
        """Of the agents (2,): where they would meet without any of this."""
        return self.exact.agents[:, :PLANE].mean(axis=0)

    def excess(self, x: ArrayLike) -> float:
        """F(x)/F* - 1; no number where F* is 0, as of agents that rest in one place."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(np.divide(self.suboptimality(x), self.mean_value(self.x_star)))

    @property
    def remark(self) -> str:
        """What the surrogate costs, beside the mean of the positions."""
        if self.surrogate is None:
            return ""
        said = "gradients are those of a surrogate, whose minimiser has F"
        above, least = self.suboptimality(self.found), self.mean_value(self.x_star)
        if least <= SLACK * above:
            return f"{said} {above:.2g}, and the least is 0"
        found, mean = (self.excess(x) for x in (self.found, self.mean_of_positions))
        return (
            f"{said} {100 * found:.2g} % above the least; the mean of the positions "
            f"{100 * mean:.2g} %"
        )

    def card(self) -> Card:
        """See :class:`Carded`."""
        card = super().card()
        oracle = "exact" if self.surrogate is None else "surrogate"
        return replace(card, facts={**card.facts, "gradients": oracle})

    def value(self, i: int, x: ArrayLike) -> float:
        """f_i(x), for x (2,)."""
        found, theta = self.exact.solve(self._node(i), self._point(x))
        return self.exact.programme.objective(found.u, theta)

    def surrogate_value(self, x: ArrayLike) -> float:
        """F(x) as what answers the gradients has it, for x (2,)."""
        return (self if self.surrogate is None else self.surrogate).mean_value(x)

    def divergence(self, x: ArrayLike, origin: ArrayLike) -> float:
        """See :meth:`Problem.divergence`."""
        here, there = self._point(x), self._point(origin)
        each = [
            self.exact.programme.divergence(*self.exact.solve(i, here), *self.exact.solve(i, there))
            for i in range(self.nodes)
        ]
        return float(np.mean(each))

    def plan(self, i: int, x: ArrayLike) -> FloatArray:
        """The positions (N + 1, 2) that agent i passes to meet at x (2,)."""
        found, _ = self.exact.solve(self._node(i), self._point(x))
        of_start, of_inputs = self.form.states()
        return (of_start @ self.exact.agents[i] + of_inputs @ found.u)[:, :PLANE]

    def _mu(self) -> float:
        return self._own_bounds[0] if self.surrogate is None else self.surrogate.mu

    def _node_L(self) -> FloatArray:
        if self.surrogate is not None:
            return self.surrogate.node_L
        return np.full(self.nodes, self._own_bounds[1])

    @cached_property
    def _own_bounds(self) -> tuple[float, float]:
        with one_blas_thread():
            return self.exact.programme.curvature(PLANE)

    def _optimum(self) -> FloatArray:
        def gradients(x: FloatArray) -> FloatArray:
            return self.gradients(np.tile(x, (self.nodes, 1)))

        with one_blas_thread():
            return minimiser(gradients, *self._own_bounds, PLANE)

    def _relabelled(self, order: IntArray) -> "MeetingProblem":
        surrogate = None if self.surrogate is None else self.surrogate._relabelled(order)
        exact = replace(self.exact, agents=self.exact.agents[order])
        return replace(self, exact=exact, surrogate=surrogate, given_x_star=self.x_star)


def meeting_problem(agents: FloatArray, form: MeetingForm) -> MeetingProblem:
    """Of agents (n, 4), rows (p_0, v_0). InputError names one that is too fast from the start."""
    for i, speed in enumerate(np.abs(agents[:, PLANE:]).sum(axis=1)):
        if speed > form.speed_limit * (1 + SLACK):
            wrong = f"agent {i} starts at |v|_1 = {speed:g}, above the limit {form.speed_limit:g}"
            raise InputError("velocities", wrong, "no feasible inputs")
    return MeetingProblem(
        kind="meeting", form=form, exact=ExactMeeting(form.programme(), agents.copy())
    )


def _require_trained_for(
    form: MeetingForm, surrogate: ConvexSurrogate, metadata: Mapping[str, Any]
) -> None:
    """InputError for the surrogate of another programme."""
    trained = metadata.get("form")
    of_plane = (surrogate.parameters, surrogate.dimension) == (2 * PLANE, PLANE)
    if not isinstance(trained, Mapping) or not of_plane:
        raise InputError("oracle.surrogate", "is none of problem meeting", "see learn-surrogate")
    for name, value in form._asdict().items():
        if trained.get(name) != value:
            wrong = f"trained with {name} {trained.get(name)!r}"
            raise InputError("oracle.surrogate", wrong, f"the problem has {value:g}")


def _require_inside(agents: FloatArray, box: FloatArray) -> None:
    """InputError where an agent's theta leaves the box on the way to another agent's position."""
    positions, velocities = agents[:, :PLANE], agents[:, PLANE:]
    within_box = np.minimum(box[:, 1], -box[:, 0])
    reach, fastest = within_box[:PLANE].min(), within_box[PLANE:].min()
    apart = np.abs(positions[:, None] - positions).max(axis=(1, 2))
    for i, (distance, speed) in enumerate(zip(apart, np.abs(velocities).max(axis=1), strict=True)):
        if distance > reach * (1 + SLACK):
            wrong = f"trained for positions in [{-reach:g}, {reach:g}]"
            right = f"agent {i} starts {distance:.3g} from the others"
            raise InputError("oracle.surrogate", wrong, right)
        if speed > fastest * (1 + SLACK):
            wrong = f"trained for velocities in [{-fastest:g}, {fastest:g}]"
            raise InputError("oracle.surrogate", wrong, f"agent {i} starts with {speed:.3g}")


# ---- In a scenario -------------------------------------------------------------------------------

Pair = Annotated[tuple[float, float], Strict(False)]
Pairs = Annotated[tuple[Pair, ...], Strict(False), Field(min_length=1)]


class MeetingKind(ProblemKind):
    """Agents under limits agree on a point to meet at."""

    lacks: ClassVar[Mapping[str, str]] = {
        "mu": "it follows from the weights and the horizon",
        "data": "its agents are drawn; see positions and velocities",
    }

    kind: Literal["meeting"] = Field(description="cost of each agent to come near x under limits")
    oracle: OneOracle = Field(
        default=EXACT, description="where gradients come from: exact, or {surrogate: FILE}"
    )
    horizon: Annotated[int, Field(ge=1, le=100)] = Field(
        default=6, description="steps N of every agent's plan"
    )
    interval: Positive = Field(default=0.5, description="time h of a step")
    input_limit: Positive = Field(default=1.0, description="of ||u_k||_1, an acceleration")
    speed_limit: Positive = Field(default=1.2, description="of ||v_k||_1, at the start too")
    weight: Positive = Field(default=4.0, description="w of (w/2) ||p_N - x||^2")
    final_speed: NotNegative = Field(default=2.0, description="s of (s/2) ||v_N||^2")
    effort: Positive = Field(default=0.2, description="r of (r/2) sum ||u_k||^2")
    spread: Positive = Field(
        default=2.0, description="positions are drawn from [-spread, spread]^2"
    )
    speed: NotNegative = Field(default=0.5, description="velocities from [-speed, speed]^2")
    positions: Pairs | None = Field(
        default=None, description="of all agents, instead of drawn ones"
    )
    velocities: Pairs | None = Field(
        default=None, description="of all agents, instead of drawn ones"
    )

    @model_validator(mode="after")
    def _drawn_agents_are_slow_enough(self) -> "MeetingKind":
        if self.velocities is None and PLANE * self.speed > self.speed_limit:
            most = self.speed_limit / PLANE
            raise misuse(
                f"must be at most half of speed_limit, {most:g}, got {self.speed:g}", "speed"
            )
        return self

    @property
    def dimension(self) -> int:
        """2."""
        return PLANE

    @property
    def form(self) -> MeetingForm:
        """What all agents have in common."""
        return MeetingForm(*(getattr(self, name) for name in MeetingForm._fields))

    @property
    def box(self) -> FloatArray:
        """Of theta (4, 2), where a surrogate is learned: from any drawn position to any other, and
        a tenth more than the velocities, within their limit.
        """
        fastest = min(1.1 * self.speed, self.speed_limit / PLANE) or 1e-3
        return np.outer([2 * self.spread] * PLANE + [fastest] * PLANE, [-1.0, 1.0])

    def needs(self, nodes: int, *, conjugate: bool = False) -> tuple[Need, ...]:
        """The programme, dense and inside the solver."""
        entries = (PLANE * self.horizon) * (10 * self.horizon)
        return (Need("horizon", f"a programme of {self.horizon} steps", 64 * entries),)

    def build(self, nodes: int, rng: np.random.Generator) -> Problem:
        """See :meth:`ProblemKind.build`."""
        drawn = [rng.uniform(-most, most, (nodes, PLANE)) for most in (self.spread, self.speed)]
        for k, name in enumerate(("positions", "velocities")):
            given = getattr(self, name)
            if given is not None and len(given) != nodes:
                raise InputError(name, f"{len(given)} given", f"one of each of {nodes} agents")
            drawn[k] = drawn[k] if given is None else np.array(given)
        problem = meeting_problem(np.hstack(drawn), self.form)
        return problem if isinstance(self.oracle, ExactValue) else problem.with_oracle(self.oracle)
