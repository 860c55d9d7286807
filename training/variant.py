"""Models with an ingredient left out, and those that ours is compared with.

All of them take windows and contexts of sequences and give logits, so that one
loop fits them all and one table shows them.
"""

from dataclasses import asdict, dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from ecg.features import CHANNELS, CONTEXT
from ecg.model import OUTPUTS, BeatLSTM, BeatLSTMSize, PlainLSTM
from ecg.state import N_LEADS


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """What differs from the model that ships; nothing, as it stands."""

    network: Literal["beats", "both ways", "plain", "linear"] = "beats"
    """``BeatLSTM``; two of them, one over the beats from the end; ``PlainLSTM`` over
    samples; a linear map of the context."""
    blank: tuple[str, ...] = ()
    """Words; numbers of the context whose name has one of them are put to zero."""
    keep: tuple[str, ...] = ()
    """Words; if any, only numbers of the context with one of them are seen."""
    templates: bool = True
    """Whether the channels "beat minus template" are seen."""
    memory: bool = True
    """Whether a beat is judged in the light of others."""
    augment: bool = True
    """Whether training sees sequences as they could have been recorded."""

    def as_dict(self) -> dict[str, object]:
        """Return the settings by name."""
        return asdict(self)

    def build(self, size: BeatLSTMSize, *, dropout: float) -> nn.Module:
        """Return the model; ``size`` and ``dropout`` are those of ``BeatLSTM``."""
        network: nn.Module
        if self.network == "plain":
            network = _Plain()
        elif self.network == "linear":
            network = _Linear()
        elif self.network == "both ways":
            network = _BothWays(size, dropout=dropout)
        else:
            network = BeatLSTM(size, dropout=dropout)
        if self.templates and self.memory and not self.blank and not self.keep:
            return network
        return _Blinkered(network, self)

    def seen(self) -> list[bool]:
        """Return for each number of the context whether the model sees it."""
        return [
            (not self.keep or any(word in name for word in self.keep))
            and not any(word in name for word in self.blank)
            for name in CONTEXT
        ]


class _Blinkered(nn.Module):
    """Shows a network only what the variant lets it see."""

    context: Tensor
    channels: Tensor

    def __init__(self, network: nn.Module, variant: Variant) -> None:
        super().__init__()
        self.network = network
        self._memory = variant.memory
        self.register_buffer("context", torch.tensor(variant.seen(), dtype=torch.float32))
        channels = [k < N_LEADS or variant.templates for k in range(CHANNELS)]
        self.register_buffer("channels", torch.tensor(channels, dtype=torch.float32)[:, None])

    def forward(self, windows: Tensor, contexts: Tensor) -> Tensor:
        windows, contexts = windows * self.channels, contexts * self.context
        n, length = windows.shape[:2]
        if not self._memory:  # each beat is a sequence of its own
            windows = windows.flatten(0, 1)[:, None]
            contexts = contexts.flatten(0, 1)[:, None]
        logits: Tensor = self.network(windows, contexts)
        return logits.reshape(n, length, -1)


class _BothWays(nn.Module):
    """Two ``BeatLSTM``, one over the beats in order and one from the end: no monitor can."""

    def __init__(self, size: BeatLSTMSize, *, dropout: float) -> None:
        super().__init__()
        self.onward = BeatLSTM(size, dropout=dropout)
        self.back = BeatLSTM(size, dropout=dropout)

    def forward(self, windows: Tensor, contexts: Tensor) -> Tensor:
        onward: Tensor = self.onward(windows, contexts)
        back: Tensor = self.back(windows.flip(1), contexts.flip(1)).flip(1)
        return onward + back


class _Plain(nn.Module):
    """``PlainLSTM`` over the samples of each beat's leads, and nothing else."""

    AT_ONCE = 2048

    def __init__(self) -> None:
        super().__init__()
        self.lstm = PlainLSTM(
            input_dim=N_LEADS, hidden_dim=64, layer_dim=2, output_dim=len(OUTPUTS)
        )

    def forward(self, windows: Tensor, contexts: Tensor) -> Tensor:
        n, length = contexts.shape[:2]
        samples = windows[:, :, :N_LEADS].flatten(0, 1).transpose(1, 2)  # (n, WINDOW, N_LEADS)
        # a whole record at once would keep gigabytes of states
        logits = [self.lstm(part) for part in torch.split(samples, self.AT_ONCE)]
        return torch.cat(logits).view(n, length, -1)


class _Linear(nn.Module):
    """Logistic regression on the context."""

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Linear(len(CONTEXT), len(OUTPUTS))

    def forward(self, windows: Tensor, contexts: Tensor) -> Tensor:
        logits: Tensor = self.map(contexts)
        return logits
