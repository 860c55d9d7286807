import torch

from ecg.features import CHANNELS, N_CONTEXT
from ecg.model import OUTPUTS, BeatEnsemble, BeatLSTM, BeatLSTMSize
from ecg.state import WINDOW

N, LENGTH = 3, 5


def members(n: int) -> list[BeatLSTM]:
    torch.manual_seed(2)
    return [BeatLSTM(BeatLSTMSize()).eval() for _ in range(n)]


def step_by_step(model: BeatEnsemble, windows: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
    memory = (torch.zeros(1, N, model.hidden), torch.zeros(1, N, model.hidden))
    logits = []
    for k in range(LENGTH):
        beats = model.encode(windows[:, k], context[:, k])
        assert beats.shape == (N, model.beat)
        out, memory = model.remember(beats[:, None], memory)
        logits.append(out)
    return torch.cat(logits, dim=1)


def test_ensemble_says_the_mean_of_its_members_when_each_keeps_its_own_memory() -> None:
    generator = torch.Generator().manual_seed(3)
    windows = torch.randn(N, LENGTH, CHANNELS, WINDOW, generator=generator)
    context = torch.randn(N, LENGTH, N_CONTEXT, generator=generator)
    several = members(3)
    with torch.inference_mode():
        together = step_by_step(BeatEnsemble(several), windows, context)
        alone = torch.stack([one(windows, context) for one in several])
    assert together.shape == (N, LENGTH, len(OUTPUTS))
    torch.testing.assert_close(together, alone.mean(dim=0))
    assert not torch.allclose(together, alone[0])
