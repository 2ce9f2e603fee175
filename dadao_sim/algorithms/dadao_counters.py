r"""DADAO with counters: what a message lost at one end leaves out, the next one makes good.

Problem
    minimise (1/n) sum_i f_i(x), each f_i L-smooth and mu-strongly convex, held by node i of a
    connected graph.
State
    per node the six blocks of DADAO; and at each end i of an edge e = (i, j) the sum S_i of what it
    sent over e, and A_i, what it has made of the sums of both ends so far. S and A start at 0.
Flow, and gradient event at i
    as in DADAO.
Gossip event at e = (i, j) (Poisson, rate lambda_e)
    both ends send:  S_i += y_i + z_i,  and S_i goes to j;  S_j likewise, and goes to i.
    The end that hears of it:  D = S_i - S_j as sent;  m = D - A_i;
    z_i -= beta m,  z~_i -= beta~ m,  A_i = D  (opposite signs at j)
    A node that lost its state starts with S = A = 0, says so in what it sends next, and the others
    begin their sums over its edges anew: they take back what those edges had brought.
Constants
    those of DADAO, and its sets.
Guarantee
    Where all messages arrive at once it is DADAO, to rounding. Otherwise no bias stays. The flow
    (z' = alpha (z~ - z), z~' = alpha~ (z - z~)) leaves u = alpha~ z + alpha z~ as it is, and
    gradients do not touch it; only gossip does, by -c m, c = alpha~ beta + alpha beta~. So, from
    u = 0, u_i = -c sum_{e at i} A_{e,i} at all times, whatever was lost, came late or was reset:

        sum_i u_i + c sum_e (A_{e,i} + A_{e,j}) = 0   (A_{e,j} in the sign of j, as applied)

    and A_{e,i} + A_{e,j}, what is on its way or was lost, is 0 as soon as both ends of e heard of
    one and the same exchange. (sum z and sum z~ alone are not conserved with something on its way,
    for the flow moves what has arrived and not what has not; their other combination, z - z~, dies
    out by itself at the rate alpha + alpha~.) Where the differences y_i + z_i - y_j - z_j go to 0,
    so do m and A_{e,i} + A_{e,j}: the limit has sum z = 0, and is x*. No theorem covers the rate.
Reference
    A. Nabli, E. Oyallon, "DADAO: Decoupled Accelerated Decentralized Asynchronous Optimization",
    ICML 2023. The counters are running sums as of ASY-SONATA (Tian, Sun, Scutari, 2020) and of
    robust push-sum (Hadjicostis, Vaidya, Dominguez-Garcia, 2016); put to use in DADAO by us.

A message is one vector as in DADAO: S in the place of y + z, and a number that says the how
manieth it is. What arrives after a later one is passed over. Each end keeps two vectors per edge.
"""

from collections import namedtuple

import numpy as np

from dadao_sim.algorithms import dadao
from dadao_sim.algorithms.contract.method import AsynchronousMethod
from dadao_sim.algorithms.dadao import BLOCKS, FAST, FRUGAL, LATENCY, PATIENT, YT, ZT, Y, Z
from dadao_sim.engine.node import message

Params = namedtuple("Params", (*dadao.Params._fields, "edges"))  # type: ignore[misc]
Params.__doc__ = "Those of DADAO, and the ends of the edges (|E|, 2)."


def constants(c, problem, network):
    """As in DADAO."""
    dadao.constants(c, problem, network)
    c.of_edges(edges=network.edges.copy())


def ends(values, network):
    """S = A = 0 at both ends of every edge: a row is S, then A."""
    return np.zeros((len(network.edges), 2, 2 * values["x"].shape[1]))


def speak(state, p, objective, e, i, out):
    """S_i += y_i + z_i,  which is sent:  the other end makes D = S_i - S_j of both."""
    message(state, p, objective, i, out)
    end = state.ends[e, 0 if p.edges[e, 0] == i else 1]
    for k in range(out.shape[0]):
        end[k] += out[k]
        out[k] = end[k]


def apply_message(state, p, e, i, m):
    """z -= beta (D - A),  z~ -= beta~ (D - A),  A = D."""
    s = state.values[i]
    d = m.shape[0]
    end = state.ends[e, 0 if p.edges[e, 0] == i else 1]
    for k in range(d):
        missing = m[k] - end[d + k]
        s[Z, k] -= p.beta * missing
        s[ZT, k] -= p.beta_tilde * missing
        end[d + k] = m[k]


def reset(state, p, i):
    """Node i starts again from x = x~ = 0; its neighbours tell it what each edge brought them, of
    which it has the opposite:  A_i = -A_j,  z = z~ = -c sum A/(alpha + alpha~),  y = y~ = -z.
    """
    s = state.values[i]
    d = s.shape[1]
    for block in range(s.shape[0]):
        for k in range(d):
            s[block, k] = 0.0
    share = (p.alpha_tilde * p.beta + p.alpha * p.beta_tilde) / (p.alpha + p.alpha_tilde)
    for e in range(p.edges.shape[0]):
        for end in range(2):
            if p.edges[e, end] == i:
                for k in range(d):
                    told = state.ends[e, 1 - end, d + k]
                    state.ends[e, end, d + k] = -told
                    s[Z, k] += share * told
    for k in range(d):
        s[ZT, k] = s[Z, k]
        s[Y, k] = s[YT, k] = -s[Z, k]


METHOD = AsynchronousMethod(
    name="dadao_counters",
    title="DADAO with counters",
    family="accelerated",
    look="black long o",
    blocks=BLOCKS,
    time_varying=True,
    stochastic=True,
    averaging=True,
    composite="experimental",
    directions=True,
    constant_sets={"fast": FAST, "frugal": FRUGAL, "patient": PATIENT, "latency": LATENCY},
    same_as="dadao",
    params=Params,
    constants=constants,
    tunes=("L", "mu"),
    clock=dadao.clock,
    ends=ends,
    end_blocks=("sent", "applied"),
    newest=True,
    fixed_point=dadao.fixed_point,
    flow=dadao.flow,
    gradient=dadao.gradient,
    apply_gradient=dadao.apply_gradient,
    message=dadao.message,
    speak=speak,
    apply_message=apply_message,
    observe=dadao.observe,
    reset=reset,
    solves={"convex": "proven", "non-convex": "experimental"},
    reference="nabli2023dadao",
)
