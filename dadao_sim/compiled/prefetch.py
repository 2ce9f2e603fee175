"""Ask the processor for memory before it is needed.

A log takes nodes at random, and where their vectors do not fit into a cache, to wait for memory
takes as long as to compute. The next events are known, so theirs can be on its way meanwhile.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, overload

LINE = 64
"""Bytes that come at once."""
MOST = 16 * LINE
"""Bytes of a row that are asked for: the processor itself goes on with what is read in order."""


def prefetch(array: Any, row: int) -> None:
    """Begin to fetch ``array[row]`` of a C-contiguous array, to be written: a hint, which changes
    no value, and of a row that there is not does nothing. In plain Python it does nothing at all.
    """


@intrinsic
def _fetch(typing, array, row):
    """The instruction, once per line."""

    def generate(context, builder, signature, arguments):
        made = context.make_array(signature.args[0])(context, builder, arguments[0])
        stride = cgutils.unpack_tuple(builder, made.strides)[0]
        size, byte, flag = stride.type, ir.IntType(8).as_pointer(), ir.IntType(32)
        begin = builder.ptrtoint(made.data, size)
        begin = builder.add(begin, builder.mul(arguments[1], stride))
        of_pointers = ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag])
        fetch = cgutils.get_or_insert_function(builder.module, of_pointers, "llvm.prefetch.p0i8")
        to_write, keep, data = flag(1), flag(3), flag(1)
        is_long = builder.icmp_signed(">", stride, size(MOST))
        end = builder.select(is_long, size(MOST), stride)
        with cgutils.for_range_slice(builder, size(0), end, size(LINE)) as (offset, _):
            place = builder.inttoptr(builder.add(begin, offset), byte)
            builder.call(fetch, [place, to_write, keep, data])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


@overload(prefetch)
def _compiled(array, row):
    return lambda array, row: _fetch(array, row)  # type: ignore[call-arg]  # numba gives the first
