"""The neural networks, all of them, shapes on the lines.

A ``BeatLSTM`` has an encoder that looks at one beat and an LSTM that remembers
the beats before it; the monitor runs a ``BeatEnsemble`` of some that learnt from
different patients. ``PlainLSTM`` reads raw samples and nothing else; it is the
first row of every table of results.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from ecg.features import CHANNELS, N_CONTEXT
from ecg.finding import BEAT_CLASSES, RHYTHMS
from ecg.rhythm import N_DESCRIPTORS
from ecg.state import WINDOW

SMALL = 0.1
"""Size, in usual QRS sizes, below which a deflection is shown to a network in proportion, and
above which by its logarithm: a P wave is a tenth of a QRS, and tells as much."""

ARTEFACT = "artefact"
OUTPUTS = (*BEAT_CLASSES, ARTEFACT)
"""What the network tells apart: the beat classes, and a detection that was no beat."""


class PlainLSTM(nn.Module):
    """An LSTM over samples whose last output is classified: the baseline.

    Parameters
    ----------
    input_dim : int
        Leads.
    hidden_dim : int
        Units of each layer.
    layer_dim : int
        Layers.
    output_dim : int
        Classes.
    """

    def __init__(self, input_dim: int, hidden_dim: int, layer_dim: int, output_dim: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(input_dim, hidden_dim, layer_dim, batch_first=True)
        self.head = nn.Linear(hidden_dim, output_dim)

    def forward(self, samples: Tensor) -> Tensor:
        """Classify windows.

        Parameters
        ----------
        samples : Tensor, shape (n_windows, n_samples, n_leads)

        Returns
        -------
        Tensor, shape (n_windows, output_dim)
            Logits.
        """
        out, _ = self.lstm(samples)  # (n_windows, n_samples, hidden)
        logits: Tensor = self.head(out[:, -1])
        return logits


def _compressed(windows: Tensor) -> Tensor:
    # one copy, then in place: new memory for each step took longer than the steps
    size = windows.abs().div_(SMALL).log1p_().div_(math.log1p(1 / SMALL))
    return size.copysign_(windows)


@dataclass(frozen=True, slots=True, kw_only=True)
class BeatLSTMSize:
    """How large a ``BeatLSTM`` is; kept in the card beside its weights."""

    conv: tuple[int, int, int] = (16, 32, 32)
    """Filters of the three convolutions."""
    beat: int = 64
    """Numbers that stand for one beat."""
    hidden: int = 64
    """Units of the LSTM."""

    def as_dict(self) -> dict[str, object]:
        """Return the sizes by name."""
        return asdict(self)


class BeatLSTM(nn.Module):
    """An encoder for one beat and an LSTM over the beats of a patient.

    Parameters
    ----------
    size : BeatLSTMSize
        Layer sizes.
    dropout : float
        Share of a beat's numbers that training leaves out.
    """

    def __init__(self, size: BeatLSTMSize, *, dropout: float = 0.0) -> None:
        super().__init__()
        a, b, c = size.conv
        self.size = size
        self.encoder = nn.Sequential(
            nn.Conv1d(CHANNELS, a, 7, stride=2, padding=3),  # (n, a, 63)
            nn.ReLU(inplace=True),
            nn.Conv1d(a, b, 5, stride=2, padding=2),  # (n, b, 32)
            nn.ReLU(inplace=True),
            nn.Conv1d(b, c, 3, stride=2, padding=1),  # (n, c, 16)
            nn.ReLU(inplace=True),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(c * -(-WINDOW // 8), size.beat),
        )
        self.context = nn.Linear(N_CONTEXT, size.beat)
        self.lstm = nn.LSTM(size.beat, size.hidden, batch_first=True)
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(size.hidden + size.beat, len(OUTPUTS))

    def encode(self, windows: Tensor, context: Tensor) -> Tensor:
        """Turn beats into numbers.

        Parameters
        ----------
        windows : Tensor, shape (n, CHANNELS, WINDOW)
        context : Tensor, shape (n, N_CONTEXT)

        Returns
        -------
        Tensor, shape (n, beat)
        """
        return torch.relu(self.encoder(_compressed(windows)) + self.context(context))

    def remember(
        self, beats: Tensor, memory: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Judge encoded beats in the light of those before them.

        Parameters
        ----------
        beats : Tensor, shape (n_patients, n_beats, beat)
        memory : tuple of Tensor, each of shape (1, n_patients, hidden), optional
            h and c after the beats before these.

        Returns
        -------
        logits : Tensor, shape (n_patients, n_beats, len(OUTPUTS))
        memory : tuple of Tensor
            h and c after these beats.
        """
        out, memory = self.lstm(beats, memory)
        # the beat itself also goes straight to the head: the memory is for context
        return self.head(self.drop(torch.cat([out, beats], dim=-1))), memory

    def forward(self, windows: Tensor, context: Tensor) -> Tensor:
        """Judge sequences from an empty memory; shapes (n_patients, n_beats, ...)."""
        n, length = windows.shape[:2]
        beats = self.encode(windows.flatten(0, 1), context.flatten(0, 1)).view(n, length, -1)
        logits, _ = self.remember(beats)
        return logits


class BeatEnsemble(nn.Module):
    """Several ``BeatLSTM`` of one size that judge together, by the mean of their logits.

    Parameters
    ----------
    members : sequence of BeatLSTM
        At least one.
    """

    def __init__(self, members: Sequence[BeatLSTM]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.size = members[0].size
        self.beat = len(members) * self.size.beat
        """Numbers that stand for one beat, all members' together."""
        self.hidden = len(members) * self.size.hidden
        """Width of the memory, all members' together."""

    def encode(self, windows: Tensor, context: Tensor) -> Tensor:
        """Turn beats into numbers, shape (n, beat); parameters as of ``BeatLSTM.encode``."""
        return torch.cat([one.encode(windows, context) for one in self._all()], dim=-1)

    def remember(
        self, beats: Tensor, memory: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Judge encoded beats; as ``BeatLSTM.remember``, the members side by side."""
        parts = beats.chunk(len(self.members), dim=-1)
        h, c = (part.chunk(len(self.members), dim=-1) for part in memory)
        # the LSTM wants its memory in one piece
        found = [
            one.remember(part, (h[k].contiguous(), c[k].contiguous()))
            for k, (one, part) in enumerate(zip(self._all(), parts, strict=True))
        ]
        logits = torch.stack([out for out, _ in found]).mean(dim=0)
        return logits, (
            torch.cat([h for _, (h, _) in found], dim=-1),
            torch.cat([c for _, (_, c) in found], dim=-1),
        )

    def _all(self) -> list[BeatLSTM]:
        return [one for one in self.members if isinstance(one, BeatLSTM)]


class RhythmLSTM(nn.Module):
    """An LSTM that takes one second of rhythm at a time and remembers those before.

    Parameters
    ----------
    hidden : int
        Units of the LSTM.
    """

    def __init__(self, hidden: int = 24) -> None:
        super().__init__()
        self.hidden = hidden
        self.lstm = nn.LSTM(N_DESCRIPTORS, hidden, batch_first=True)
        self.head = nn.Linear(hidden, len(RHYTHMS))

    def forward(
        self, seconds: Tensor, memory: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Judge seconds in the light of those before them.

        Parameters
        ----------
        seconds : Tensor, shape (n_patients, n_seconds, N_DESCRIPTORS)
        memory : tuple of Tensor, each of shape (1, n_patients, hidden), optional

        Returns
        -------
        logits : Tensor, shape (n_patients, n_seconds, len(RHYTHMS))
        memory : tuple of Tensor
        """
        out, memory = self.lstm(seconds, memory)
        return self.head(out), memory
