"""What every replica of a training has: networks, optimizers, running averages, and the weights and the batch that tachie wrote."""

from pathlib import Path

import torch
from safetensors.torch import load_file

NAMES = {"g": "generator", "d": "discriminator", "t": "domain discriminator", "c": "classifier"}


class Training:
    """The networks, optimizers and running averages of one model, and its batch."""

    def __init__(self, folder, config, networks, rates, betas):
        """Networks and learning rates by the letters of their players."""
        folder = Path(folder)
        self.config = config
        start = load_file(folder / "start.safetensors")
        self.batch = load_file(folder / "batch.safetensors")
        self.networks = networks
        for player, network in self.networks.items():
            load(network, start, player)
        del start
        self.optimizers = {
            player: torch.optim.Adam(network.parameters(), lr=rates[player], betas=betas, fused=True)
            for player, network in self.networks.items()
        }
        self.parameters = [p for network in self.networks.values() for p in network.parameters()]
        self.buffers = [b for network in self.networks.values() for b in statistics(network)]
        self.averages = [p.detach().clone() for p in self.parameters]
        self.average_buffers = [b.clone() for b in self.buffers]
        self.number = 0

    def move(self, player, total):
        self.optimizers[player].zero_grad(set_to_none=True)
        total.backward()
        self.optimizers[player].step()

    @torch.no_grad()
    def average(self):
        torch._foreach_lerp_(self.averages, self.parameters, 1 - self.decay())
        if self.buffers:
            torch._foreach_copy_(self.average_buffers, self.buffers)

    def counts(self):
        return {NAMES[player]: sum(p.numel() for p in network.parameters()) for player, network in self.networks.items()}

    def tensors(self):
        """Parameters by tachie's names, and their running averages below "average."."""
        names = [f"{player}.{name}" for player, network in self.networks.items()
                 for name, _ in network.named_parameters()]
        averages = {f"average.{name}": value for name, value in zip(names, self.averages)}
        return {name: p.detach().contiguous() for name, p in zip(names, self.parameters)} | averages


def statistics(network):
    """What is not trained (running statistics, noise), without PyTorch's count of batches, which tachie does not have."""
    return [buffer for name, buffer in network.named_buffers() if not name.endswith("num_batches_tracked")]


def load(network, tensors, player):
    """Loads what stands below the player's prefix; every name has to be there on both sides, but for what tachie notes for
    previews."""
    own = {name.removeprefix(f"{player}."): tensor for name, tensor in tensors.items() if name.startswith(f"{player}.")}
    own = {name: tensor for name, tensor in own.items() if name != "lod" and not name.startswith("preview_")}
    missing, unexpected = network.load_state_dict(own, strict=False)
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unexpected:
        raise ValueError(f"weights of {player}: missing {missing}, unexpected {unexpected}")
