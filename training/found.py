"""What was found, as WFDB annotation files, so that anyone can score it again."""

import logging
from pathlib import Path

from ecg.marks import EXTENSION, Marks, symbol_of
from ecg.metrics import NOT_JUDGED
from training.heard import Heard

logger = logging.getLogger(__name__)


def write_found(directory: str | Path, heard: Heard) -> None:
    """Write the beats that were found as a WFDB annotation file, ``NAME.rw``.

    Its symbols are N, S, V, F and Q; a beat that was not judged is a Q. The
    programs of the WFDB package score it again: ``bxb -r NAME -a atr rw``. Where no
    beat was found there is no file, nor one of a former run.
    """
    Path(directory).mkdir(parents=True, exist_ok=True)
    if not len(heard.samples):
        logger.warning("no beat was found in record=%s: no annotations are written", heard.name)
        (Path(directory) / f"{heard.name}.{EXTENSION}").unlink(missing_ok=True)
        return
    marks = Marks()
    for sample, label in zip(heard.samples.tolist(), heard.classes.tolist(), strict=True):
        marks.add_beat(sample, symbol_of(None if label == NOT_JUDGED else label))
    marks.write(Path(directory), heard.name, fs=heard.fs)
