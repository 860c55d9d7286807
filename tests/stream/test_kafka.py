"""What needs no broker in the Kafka client's file."""

import pytest

from stream.kafka.assignment import Assignment, kept_through

MINE = frozenset({1, 2})


def given(generation: int | None, *partitions: int) -> Assignment:
    return Assignment(generation=generation, partitions=frozenset(partitions))


@pytest.mark.parametrize(
    ("noted", "kept"),
    [
        ([given(5, 1, 2, 3)], {1, 2}),
        ([given(5, 2, 3)], {2}),
        ([given(5, 1, 2), given(6, 1)], {1}),
        ([given(5, 2), given(6, 1, 2)], {2}),
        ([given(5), given(6, 1, 2)], set()),
        ([given(6, 1, 2)], set()),
        ([given(5, 1, 2), given(7, 1, 2)], set()),
        ([given(None), given(5, 1, 2)], set()),
        ([given(5, 1, 2), given(None)], set()),
        # expelled, and back in a group that counts anew: 0 comes after nothing
        ([given(None), given(0, 1, 2)], set()),
    ],
)
def test_partition_is_kept_only_if_nobody_else_can_have_had_it(
    noted: list[Assignment], kept: set[int]
) -> None:
    assert kept_through(noted, MINE, after=4) == kept
