"""make.girls.moe and its DCGAN baseline in PyTorch, built from the configuration that tachie writes.

The same networks as src/models/make_girls and src/models/baselines/dcgan.rs, with the same names of parameters, so that
weights move over by name.
"""

import torch
import torch.nn.functional as F
from torch import nn


def batch_norm(kind, features):
    return kind(features, eps=2e-5, momentum=0.1)


class Residual(nn.Module):
    """conv, BN, ReLU, conv, BN, add."""

    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn1 = batch_norm(nn.BatchNorm2d, channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn2 = batch_norm(nn.BatchNorm2d, channels)

    def forward(self, x):
        h = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return x + self.bn2(self.conv2(h))


class Up(nn.Module):
    """One doubling of the resolution, BN, ReLU."""

    def __init__(self, channels, upsampling):
        super().__init__()
        if upsampling not in ("nearest", "sub-pixel"):
            raise ValueError(f"no replica of upsampling {upsampling}")
        self.nearest = upsampling == "nearest"
        self.conv = nn.Conv2d(channels, channels if self.nearest else 4 * channels, 3, padding=1)
        self.bn = batch_norm(nn.BatchNorm2d, channels)

    def forward(self, x):
        if self.nearest:
            x = self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))
        else:
            x = F.pixel_shuffle(self.conv(x), 2)
        return F.relu(self.bn(x), inplace=True)


class SrResNet(nn.Module):
    def __init__(self, config, inputs):
        super().__init__()
        channels, base, kernel = config["channels"], config["base"], config["output_kernel"]
        self.shape = (channels, base, base)
        self.global_skip = config["global_skip"]
        self.dense = nn.Linear(inputs, channels * base * base)
        self.bn0 = batch_norm(nn.BatchNorm1d, channels * base * base)
        self.blocks = nn.Sequential(*(Residual(channels) for _ in range(config["blocks"])))
        self.conv_mid = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn_mid = batch_norm(nn.BatchNorm2d, channels)
        self.up = nn.Sequential(*(Up(channels, config["upsampling"]) for _ in range(config["doublings"])))
        self.conv_out = nn.Conv2d(channels, 3, kernel, padding=kernel // 2)

    def forward(self, x):
        first = F.relu(self.bn0(self.dense(x)), inplace=True).unflatten(1, self.shape)
        x = F.relu(self.bn_mid(self.conv_mid(self.blocks(first))), inplace=True)
        if self.global_skip:
            x = x + first
        return torch.tanh(self.conv_out(self.up(x)))


class DcganUp(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1)
        self.bn = batch_norm(nn.BatchNorm2d, outputs)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)), inplace=True)


class Dcgan(nn.Module):
    def __init__(self, config, inputs):
        super().__init__()
        channels = config["channels"]
        self.shape = (channels[0], 4, 4)
        self.dense = nn.Linear(inputs, channels[0] * 16)
        self.bn0 = batch_norm(nn.BatchNorm2d, channels[0])
        self.up = nn.Sequential(*(DcganUp(a, b) for a, b in zip(channels, channels[1:])))
        self.conv_out = nn.ConvTranspose2d(channels[-1], 3, 4, stride=2, padding=1)

    def forward(self, x):
        x = F.relu(self.bn0(self.dense(x).unflatten(1, self.shape)), inplace=True)
        return torch.tanh(self.conv_out(self.up(x)))


class LeakyResidual(nn.Module):
    """conv, leaky ReLU, conv, add, leaky ReLU."""

    def __init__(self, channels, slope):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.slope = slope

    def forward(self, x):
        h = F.leaky_relu(self.conv1(x), self.slope, inplace=True)
        return F.leaky_relu(x + self.conv2(h), self.slope, inplace=True)


class Stage(nn.Module):
    def __init__(self, inputs, stage, slope):
        super().__init__()
        channels = stage["channels"]
        self.down = nn.Conv2d(inputs, channels, stage["kernel"], stride=2, padding=1)
        self.blocks = nn.Sequential(*(LeakyResidual(channels, slope) for _ in range(stage["blocks"])))
        self.slope = slope

    def forward(self, x):
        return self.blocks(F.leaky_relu(self.down(x), self.slope, inplace=True))


class Discriminator(nn.Module):
    def __init__(self, config, size, labels):
        super().__init__()
        channels = [3] + [stage["channels"] for stage in config["stages"]]
        stages = (Stage(inputs, stage, config["slope"]) for inputs, stage in zip(channels, config["stages"]))
        self.stages = nn.Sequential(*stages)
        side = size >> len(config["stages"])
        self.adv = nn.Linear(channels[-1] * side * side, 1)
        self.cls = nn.Linear(channels[-1] * side * side, labels)

    def logit(self, x):
        return self.adv(self.stages(x).flatten(1))

    def forward(self, x):
        features = self.stages(x).flatten(1)
        return self.adv(features), self.cls(features)


def generator_size(config):
    """Side of the pictures of either generator."""
    (kind, numbers), = config["generator"].items()
    return 4 << len(numbers["channels"]) if kind == "dcgan" else numbers["base"] << numbers["doublings"]


def build(config):
    """Generator and discriminator of a configuration."""
    if config["planes"] != "rgb" or any(tag["continuous"] for tag in config["tags"]["tags"]):
        raise ValueError("no replica of BGR planes or continuous labels")
    labels = len(config["tags"]["tags"])
    (kind, numbers), = config["generator"].items()
    generator = {"sr-res-net": SrResNet, "dcgan": Dcgan}[kind](numbers, config["latent"] + labels)
    return generator, Discriminator(config["discriminator"], generator_size(config), labels)
