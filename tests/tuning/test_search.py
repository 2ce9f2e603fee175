"""Where the search looks, and what it finds of functions whose minimum is known."""

import math

import pytest

from dadao_sim.errors import InputError
from dadao_sim.tuning.search import BUDGETS, best_of, check_budget, coarse, search


def find(names, budget, cost):
    """The outcome of a search, and the points of each stage."""
    steps, stages = search(names, budget), []
    keys = None
    try:
        while True:
            points = steps.send(keys)
            stages.append(points)
            keys = {point: (cost(point),) for point in points}
    except StopIteration as end:
        return end.value, stages


@pytest.mark.parametrize("budget", [64, 144])
@pytest.mark.parametrize("names", [("step",), ("L", "mu"), ("eta", "gamma")])
def test_every_method_has_the_same_budget_and_the_papers_constants_are_in_it(names, budget):
    found, stages = find(names, budget, lambda point: sum(abs(x - 0.3) for x in point))
    assert found.edge == ""
    assert found.points == sum(map(len, stages)) == budget
    assert (0.0,) * len(names) in stages[0]
    assert len(set().union(*stages)) == budget


def test_a_constant_whose_smaller_values_are_bolder_is_looked_for_farther_down():
    assert coarse("mu", 4, 2.0) == [-2.0, 0.0, 2.0, 4.0]
    assert coarse("L", 4, 2.0) == [-4.0, -2.0, 0.0, 2.0]


def test_the_minimum_of_one_constant_at_a_cliff_is_met_within_3_percent():
    cliff = 1.234
    found, _ = find(("step",), 64, lambda point: -point[0] if point[0] < cliff else math.inf)
    assert 0 < cliff - found.best[0] < math.log2(1.03)


def test_the_minimum_of_two_coupled_constants():
    def cost(point):
        x, y = point
        return (x + y - 1) ** 2 + 0.3 * (x - y + 1.7) ** 2

    found, _ = find(("eta", "gamma"), 64, cost)
    assert found.best == pytest.approx((-0.35, 1.35), abs=0.2)


@pytest.mark.parametrize(
    ("minimum", "edge", "more"), [(-9.0, "extended", 16), (-20.0, "at the edge", 16), (2.0, "", 0)]
)
def test_an_optimum_at_the_edge_is_looked_for_beyond_it_once(minimum, edge, more):
    found, stages = find(("step",), 64, lambda point: abs(point[0] - minimum))
    assert found.edge == edge
    assert found.points == 64 + more
    if edge == "extended":
        assert len(stages[1]) == 16
        assert max(stages[1]) < min(stages[0])
        assert found.best[0] == pytest.approx(minimum, abs=0.05)


def test_a_corner_is_extended_on_both_sides():
    found, stages = find(("eta", "gamma"), 16, lambda point: sum(abs(x - 7) for x in point))
    assert found.edge == "extended"
    assert max(stages[1]) >= (9.0, 9.0)


def test_of_equal_points_the_nearest_to_the_paper_is_taken():
    found, _ = find(("step",), 16, lambda point: 0.0)
    assert found.best == (0.0,)
    assert found.edge == ""
    assert best_of({(2.0,): (1, 5.0), (-1.0,): (1, 5.0), (3.0,): (0, 9.0)}) == (3.0,)


def test_what_has_no_constant_is_played_as_it_is():
    found, stages = find((), 64, lambda point: 0.0)
    assert (found.best, found.points, stages) == ((), 1, [[()]])


@pytest.mark.parametrize("budget", [0, 4, 63, 10**6])
def test_a_budget_that_cannot_be_the_same_for_all(budget):
    with pytest.raises(InputError, match="use the square of a multiple of four"):
        check_budget(budget)
    assert BUDGETS[:3] == (16, 64, 144)
