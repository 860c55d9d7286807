"""A recording in memory: its chunks together are the recording."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg.errors import EcgError, LeadError, RateError, RecordError
from ecg.record import Record


def made(n_samples: int, fs: float = 250.0) -> Record:
    samples = np.arange(2 * n_samples, dtype=np.int16).reshape(-1, 2)
    return Record(
        name="made", fs=fs, leads=("II", "V1"), samples=samples, gain=(200.0,) * 2, baseline=(0, 0)
    )


@given(n_samples=st.integers(0, 60), step=st.integers(1, 70), first=st.integers(0, 9))
def test_chunks_together_are_the_record_whatever_their_size(
    n_samples: int, step: int, first: int
) -> None:
    record = made(n_samples)
    chunks = list(record.chunks("p", "s", chunk_samples=step, first_sample=first))
    assert len(chunks) == -(-n_samples // step)
    assert [c.first_sample for c in chunks] == list(range(first, first + n_samples, step))
    assert all(c.n_samples == step for c in chunks[:-1])
    if chunks:
        assert np.array_equal(np.concatenate([c.samples for c in chunks]), record.samples)
        assert [c.discontinuity for c in chunks] == [first > 0] + [False] * (len(chunks) - 1)


def test_last_chunk_is_whole_when_the_record_is_an_exact_multiple() -> None:
    sizes = [c.n_samples for c in made(500).chunks("p", "s", duration_s=0.4)]
    assert sizes == [100] * 5


def test_chunk_of_no_sample_is_refused() -> None:
    with pytest.raises(RecordError, match="at least one sample, got 0"):
        next(made(10).chunks("p", "s", chunk_samples=0))


def test_all_errors_of_records_are_of_one_tree() -> None:
    assert issubclass(LeadError, RecordError)
    assert issubclass(RecordError, EcgError)
    assert issubclass(RateError, EcgError)
