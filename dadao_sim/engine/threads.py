"""One BLAS thread: with more, sums are split otherwise and the last bits depend on the machine."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Around a block, or as a decorator: what is inside has the same bits on any machine."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield
