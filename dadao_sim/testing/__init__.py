"""The contract of a method, as laws that anyone's method can be held against.

    from dadao_sim.testing import check_method
    check_method(METHOD)                    # raises AssertionError, one line per law that is broken

    dadao-sim check my_dgd.py               # the same from the command line

Laws that speak of something a method does not declare (a fixed point, an invariant) are skipped,
and say so.
"""

from dadao_sim.testing.case import LAWS as LAWS
from dadao_sim.testing.case import Case as Case
from dadao_sim.testing.case import Law as Law
from dadao_sim.testing.case import Skip as Skip
from dadao_sim.testing.case import law as law
from dadao_sim.testing.case import lollipop as lollipop
from dadao_sim.testing.case import sequence as sequence
from dadao_sim.testing.case import small_problem as small_problem
from dadao_sim.testing.suite import Outcome as Outcome
from dadao_sim.testing.suite import cases as cases
from dadao_sim.testing.suite import check_method as check_method
from dadao_sim.testing.suite import hold as hold
from dadao_sim.testing.suite import outcomes as outcomes
