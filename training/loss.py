"""What a fit makes small: how far a model is from the labels, or from what its teachers think."""

import torch
from torch.nn.functional import cross_entropy

from ecg.model import ARTEFACT, OUTPUTS
from training.dataset import NORMAL, UNLABELLED

_IN_NORMAL_RHYTHM = torch.tensor([name in ("N", ARTEFACT) for name in OUTPUTS])
"""Outputs that a recording of normal rhythm can have."""
_LEAST = 1e-6
"""Keeps what teachers think nearly impossible from being divided by nothing."""


def by_labels(
    logits: torch.Tensor,
    targets: torch.Tensor,
    counts: torch.Tensor,
    of_class: torch.Tensor,
) -> torch.Tensor:
    """Return how far a model is from the labels.

    Parameters
    ----------
    logits : Tensor, shape (n_beats, len(OUTPUTS))
    targets : Tensor of int, shape (n_beats,)
        Positions in ``OUTPUTS``, or ``UNLABELLED``: those teach nothing.
    counts : Tensor, shape (n_beats,)
        How much each counts beside others of its class.
    of_class : Tensor, shape (len(OUTPUTS),)
        How much a beat of each class counts.

    Returns
    -------
    Tensor
        The cross entropy, a mean over the beats with labels; not by ``counts``, so that people who
        count little are not made up for where there are no others.
    """
    losses = cross_entropy(
        logits, targets, weight=of_class, ignore_index=UNLABELLED, reduction="none"
    )
    known = of_class[targets[targets != UNLABELLED]]
    return (losses * counts).sum() / known.sum()


def by_opinion(logits: torch.Tensor, targets: torch.Tensor, thought: torch.Tensor) -> torch.Tensor:
    """Return how far a model is from what teachers think.

    Parameters
    ----------
    logits : Tensor, shape (n_beats, len(OUTPUTS))
    targets : Tensor of int, shape (n_beats,)
        Where one is ``NORMAL`` the teachers are corrected: only N and artefact are possible.
    thought : Tensor, shape (n_beats, len(OUTPUTS))
        Their probabilities.

    Returns
    -------
    Tensor
        The cross entropy to their mean: the divergence but for a constant.
    """
    impossible = (targets == NORMAL)[:, None] & ~_IN_NORMAL_RHYTHM.to(targets.device)
    possible = thought.masked_fill(impossible, 0.0)
    possible = possible / possible.sum(dim=-1, keepdim=True).clamp_min(_LEAST)
    return cross_entropy(logits, possible)
