"""The one place that asks for machine code: numba, exact arithmetic but for sums and filters.

Filters and the detector are recursions over samples. numpy can only run them
across patients, with masks in place of branches; compiled, each reads as what
happens to one sample of one patient, and a patient's result cannot depend on
the company it keeps.
"""

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit
from numba.core import config

from ecg import machine_code

_SETTING = "CACHE_DIR"
"""numba's setting NUMBA_CACHE_DIR; it makes these names when it is imported."""

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F) -> F:
    """Compile ``function`` to machine code at its first call.

    Floating-point operations keep their order, so that results are the same
    bits whatever the chunks and the company.
    """
    return cast(F, njit(nogil=True, error_model="numpy")(function))


def summing(function: F) -> F:
    """Compile a function that does nothing but sum, in an order that the compiler may choose.

    It chooses once, when it compiles, and by the number of values alone: the same values give
    the same bits on one machine, whatever the chunks and the company. In order, each addition
    would wait for the one before, which takes four times as long.
    """
    fast = njit(nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})
    return cast(F, fast(function))


def joining(function: F) -> F:
    """Compile a function in which a product and a sum may be one step, rounded once.

    For recursions, where each step waits for the one before: results are the same bits on one
    machine, whatever the chunks and the company, and nearly all of them on any other.
    """
    joined = njit(nogil=True, error_model="numpy", fastmath={"contract"})
    return cast(F, joined(function))


def entry_point(function: F) -> F:
    """Compile ``function`` and keep the machine code for the next process.

    numba keeps it beside the source of this one function and would not see that
    another file of the path has changed. So it is kept under a name that
    changes with any of them.
    """
    kept = getattr(config, _SETTING)
    setattr(config, _SETTING, str(machine_code.directory()))
    try:
        return cast(F, njit(nogil=True, error_model="numpy", cache=True)(function))
    finally:
        setattr(config, _SETTING, kept)
