"""Weights as Python source: networks so small that compiled code holds them as constants."""

import textwrap
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray


def python_of(about: str, numbers: Mapping[str, NDArray[np.float64]]) -> str:
    """Return the text of a module of constants.

    Parameters
    ----------
    about : str
        Its docstring.
    numbers : mapping of str to ndarray
        Arrays of one or two dimensions, or of none, by the names that they get.
    """
    lines = [f'"""{about}"""', "", "import numpy as np", "", "# fmt: off"]
    for name, values in numbers.items():
        flat = ", ".join(f"{value:g}" for value in np.round(values, 4).ravel())
        if values.ndim == 0:
            lines.append(f"{name} = {flat}")
            continue
        shape = f".reshape{values.shape}" if values.ndim > 1 else ""
        lines += [f"{name} = np.array(["]
        lines += textwrap.wrap(f"{flat},", 94, initial_indent="    ", subsequent_indent="    ")
        lines += [f"]){shape}"]
    return "\n".join([*lines, "# fmt: on", ""])
