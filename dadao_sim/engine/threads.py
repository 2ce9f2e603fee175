"""One BLAS thread: with more, sums are split otherwise and the last bits depend on the machine."""

from threadpoolctl import threadpool_limits

one_blas_thread = threadpool_limits.wrap(limits=1, user_api="blas")
