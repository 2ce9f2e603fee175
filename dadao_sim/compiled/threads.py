"""One BLAS thread: with more, sums are split otherwise and the last bits depend on the machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_already_one = ContextVar("already_one", default=False)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Around a block, or as a decorator: what is inside has the same bits on any machine."""
    if _already_one.get():  # asking threadpoolctl again would cost a millisecond
        yield
        return
    from threadpoolctl import threadpool_limits

    token = _already_one.set(True)
    try:
        with threadpool_limits(1, user_api="blas"):
            yield
    finally:
        _already_one.reset(token)
