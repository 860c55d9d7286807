"""Room for what a compiled function works out on its way, on the stack.

``numpy.empty`` asks for memory and gives it back each time, and whoever is handed such an array
counts who holds it: together a twentieth of the time of all that is compiled.
"""

from collections.abc import Callable
from typing import Any, cast

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np import numpy_support
from numpy.typing import NDArray

carray = cast(Callable[..., NDArray[Any]], numpy_support.carray)
"""numba's: what lies at a pointer, as an array of a shape."""


def _on_stack(_typing: Any, n: Any, kind: Any) -> Any:
    """Return a pointer to room for ``n`` numbers, for ``carray``; gone with its function.

    Parameters
    ----------
    n : int
        A constant, named or written: the compiler must know it.
    kind : type
        Of numpy, such as ``numpy.float64``.
    """
    if not isinstance(n, types.IntegerLiteral) or not isinstance(kind, types.NumberClass):
        return None  # numba says what was asked for, and where
    number = kind.instance_type

    def make(context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:
        # once for a function, not for each turn of a loop in it
        return cgutils.alloca_once(builder, context.get_data_type(number), size=n.literal_value)  # type: ignore[no-untyped-call]

    return types.CPointer(number)(n, kind), make  # type: ignore[no-untyped-call]


on_stack = cast(Callable[[int, type], Any], intrinsic(_on_stack))
