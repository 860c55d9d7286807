"""Room for what a compiled function works out on its way, on the stack.

``numpy.empty`` asks for memory and gives it back each time, and whoever is handed such an array
counts who holds it: together a twentieth of the time of all that is compiled.
"""

from collections.abc import Callable
from typing import Any, cast

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.numpy_support import carray
from numpy.typing import NDArray


def _on_stack(_typing: Any, n: Any, kind: Any) -> Any:
    """Return an array of ``n`` numbers, as they come, that is gone with the function it is in.

    Parameters
    ----------
    n : int
        A constant, named or written: the compiler must know it.
    kind : type
        Of numpy, such as ``numpy.float64``.
    """
    if not isinstance(n, types.IntegerLiteral) or not isinstance(kind, types.NumberClass):
        return None  # numba says what was asked for, and where
    number, length = kind.instance_type, n.literal_value
    pointer: Any = types.CPointer(number)  # type: ignore[no-untyped-call]  # numba has no types there
    array = types.Array(number, 1, "C")

    def there(place: Any) -> Any:
        return carray(place, length)

    def make(context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:
        # once for a function, not for each turn of a loop in it
        once: Any = cgutils.alloca_once
        place = once(builder, context.get_data_type(number), size=length)
        return context.compile_internal(builder, there, array(pointer), [place])

    return array(n, kind), make


on_stack = cast(Callable[[int, type], NDArray[Any]], intrinsic(_on_stack))
