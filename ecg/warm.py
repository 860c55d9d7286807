"""Warming up: what the first chunk would otherwise wait for."""

import numpy as np
from msgspec.structs import replace

from ecg.chunk import Chunk
from ecg.judge import Judge
from ecg.monitor import Monitor


def warm_up(judge: Judge | None = None) -> None:
    """Compile the signal path, or load it from the cache, and try the model's batches.

    Compiling takes a quarter of a minute where it has not been done before; no
    patient should wait for it.
    """
    if judge is not None:
        judge.choose_batches()
    fs = 250.0
    # one QRS-like spike a second, so that beats are found and judged
    samples = np.zeros((round(8 * fs), 1), dtype=np.int16)
    samples[round(fs / 2) :: round(fs)] = 1000
    chunk = Chunk(
        patient="warm-up",
        stream="warm-up",
        first_sample=0,
        fs=fs,
        leads=("II",),
        samples=samples,
        gain=(1000.0,),
        baseline=(0,),
    )
    # the second one does not go on from the first, whose last beats are let go of in another way
    spliced = replace(chunk, first_sample=len(samples), discontinuity=True)
    Monitor(judge).advance([chunk, spliced])
