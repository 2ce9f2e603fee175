"""The one place that knows that torch is optional, and how it is asked to be deterministic."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from dadao_sim.errors import InputError


def require_torch() -> None:
    """InputError, with the command that helps, where torch is not installed."""
    if find_spec("torch") is None:
        raise InputError('needs torch; install it with: pip install "dadao-sim[learned]"')


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Around a block, or as a decorator: sums are split the same way on any machine."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
