import numpy as np
import pytest

from stream.errors import SettingsError
from stream.feed import Feed, Piece, chunk_samples
from tests.stream.test_source import counting_source


def pieces(feed: Feed, n: int) -> list[Piece]:
    return [feed.take() for _ in range(n)]


@pytest.mark.parametrize("n_samples", [200, 201, 204, 205, 224, 5])
@pytest.mark.parametrize("chunk_ms", [50, 250, 1000])
def test_loop_gives_every_sample_once_a_pass_when_length_is_any_multiple(
    n_samples: int, chunk_ms: int
) -> None:
    feed = Feed(counting_source(n_samples), chunk_ms=chunk_ms, loop=True)
    taken: list[Piece] = []
    while feed.position < 3 * n_samples:
        taken.append(feed.take())
    values = np.concatenate([piece.samples[:, 0] for piece in taken])
    np.testing.assert_array_equal(values, np.tile(np.arange(n_samples), 3))
    assert [p.first_sample for p in taken[1:]] == [p.end_sample for p in taken[:-1]]
    splices = [p.first_sample for p in taken if p.discontinuity]
    assert splices == [n_samples, 2 * n_samples]
    lengths = {len(piece.samples) for piece in taken}
    assert min(lengths) >= 5
    assert max(lengths) <= 100


def test_feed_ends_after_the_last_sample_when_length_is_a_multiple_of_the_chunk() -> None:
    feed = Feed(counting_source(200), chunk_ms=500, loop=False)
    assert [p.end_sample for p in pieces(feed, 4)] == [50, 100, 150, 200]
    assert feed.done
    with pytest.raises(IndexError, match="have been taken"):
        feed.take()


def test_next_end_is_announced_before_the_piece_is_taken() -> None:
    feed = Feed(counting_source(130), chunk_ms=500, loop=True)
    for _ in range(10):
        announced = feed.end
        assert feed.take().end_sample == announced


def test_splice_is_told_by_the_next_piece_when_its_own_was_not_sent() -> None:
    feed = Feed(counting_source(100), chunk_ms=1000, loop=True)
    feed.take()
    lost = feed.take()
    assert lost.discontinuity
    feed.lose(lost)
    following = feed.take()
    assert following.discontinuity
    assert following.first_sample == 200
    assert feed.take().discontinuity  # its own splice


@pytest.mark.parametrize("chunk_ms", [49, 1001, 0, -1])
def test_chunk_is_refused_when_out_of_range(chunk_ms: int) -> None:
    with pytest.raises(SettingsError, match="50 to 1000 ms"):
        chunk_samples(chunk_ms, 360.0)
