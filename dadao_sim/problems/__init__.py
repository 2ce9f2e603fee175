"""Objectives with their constants and optima, data sets, partitions of samples over nodes."""

from dadao_sim.problems.build import build_problem
from dadao_sim.problems.kinds.problem import Problem

__all__ = ["Problem", "build_problem"]
