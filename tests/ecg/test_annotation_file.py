"""Annotation files: byte for byte what wfdb writes."""

import contextlib
from pathlib import Path

import numpy as np
import pytest
import wfdb
from hypothesis import given
from hypothesis import strategies as st

from ecg.annotation_file import CODE_OF_SYMBOL, decode, encode

SYMBOLS = sorted(set(CODE_OF_SYMBOL) - {" "})

annotations = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 1100), st.integers(0, 10**7)),
        st.sampled_from(SYMBOLS),
        st.sampled_from([0, 0, 0x30, 1]),
        st.sampled_from(["", "", "(N", "unfit: noisy", "x" * 255]),
    ),
    min_size=1,
    max_size=30,
)


@given(annotations, st.sampled_from([250.0, 360, 127.98772]))
def test_bytes_are_wfdbs(
    tmp_path_factory: pytest.TempPathFactory, said: list[tuple[int, str, int, str]], fs: float
) -> None:
    directory: Path = tmp_path_factory.getbasetemp()
    samples = np.cumsum([step for step, _, _, _ in said])
    symbols = [symbol for _, symbol, _, _ in said]
    wfdb.wrann(
        "a",
        "x",
        samples,
        symbol=symbols,
        subtype=np.array([subtype for _, _, subtype, _ in said]),
        aux_note=[note for _, _, _, note in said],
        fs=fs,
        write_dir=str(directory),
    )
    found = encode(
        samples,
        symbols,
        fs=fs,
        subtypes={i: one[2] for i, one in enumerate(said) if one[2]},
        notes={i: one[3] for i, one in enumerate(said) if one[3]},
    )
    assert found == (directory / "a.x").read_bytes()
    assert decode(found) == (
        samples.tolist(),
        symbols,
        {i: one[3] for i, one in enumerate(said) if one[3]},
    )


@given(st.binary(max_size=60))
def test_strange_bytes_are_refused_or_read(strange: bytes) -> None:
    with contextlib.suppress(ValueError):
        decode(encode(np.array([5]), ["N"], fs=250.0)[:-2] + strange)


@pytest.mark.parametrize("samples", [[-1, 5], [7, 6]])
def test_samples_out_of_order_are_refused(samples: list[int]) -> None:
    with pytest.raises(ValueError, match="must be 0 or more and not decrease"):
        encode(np.array(samples), ["N", "N"], fs=360.0)


def test_long_texts_are_cut(tmp_path: Path) -> None:
    (tmp_path / "a.x").write_bytes(encode(np.array([5]), ["N"], fs=360.0, notes={0: "y" * 300}))
    assert wfdb.rdann(str(tmp_path / "a"), "x").aux_note == ["y" * 255]
