"""The figures of a benchmark, as JSON: in a file, or on standard output."""

import json
import sys
from pathlib import Path


def write_figures(figures: object, where: str | None) -> None:
    """Write figures where ``--json`` says.

    Parameters
    ----------
    figures : object
        What JSON can say.
    where : str or None
        A file's path; ``-`` is standard output, None is nowhere.

    Raises
    ------
    TypeError
        If JSON cannot say the figures.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> write_figures({"patients_per_core": 812.5}, "-")
    {
      "patients_per_core": 812.5
    }
    """
    text = json.dumps(figures, indent=2) + "\n"
    if where == "-":
        sys.stdout.write(text)
    elif where is not None:
        Path(where).write_text(text, encoding="utf-8")
