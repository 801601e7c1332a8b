"""PSGAN and StyleGAN at their finished size in PyTorch, built from the configuration that tachie writes.

The same networks as src/nn/progressive, src/models/psgan.rs and src/models/stylegan without fades, with the same names of
parameters, so that weights move over by name. Of the ways to write a layer each has the one that was fastest on the CPU:
discriminators and PSGAN's generator in channels-last order, doubling and halving within the convolution where the
configuration says so, blur as a depthwise convolution, AdaIN as a batch norm, and of pose maps what a convolution answers
to them, not the maps.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

SLOPE, EPSILON = 0.2, 1e-8


def channels(network, resolution):
    """Feature maps at a resolution."""
    stage = math.log2(resolution) - 1
    return max(1, min(int(network["base"] / 2 ** (stage * network["decay"])), network["max"]))


def resolutions(network):
    return [1 << power for power in range(2, int(math.log2(network["resolution"])) + 1)]


def pixel_norm(x):
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + EPSILON)


def leaky(x):
    return F.leaky_relu(x, SLOPE, inplace=True)


class Equal(nn.Module):
    """A weight that is scaled when it is used, and a bias."""

    def __init__(self, shape, biases=None, gain=2**0.5, rate=1.0):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(shape))
        if biases:
            self.bias = nn.Parameter(torch.empty(biases))
        self.rate = rate
        self.factor = gain * rate / math.prod(shape[1:]) ** 0.5

    def scaled(self):
        return self.weight * self.factor

    def dense(self, x):
        return F.linear(x, self.scaled(), self.bias * self.rate)

    def conv(self, x):
        return F.conv2d(x, self.scaled(), self.bias, padding=self.weight.shape[-1] // 2)


def conv(inputs, outputs, kernel=3, gain=2**0.5, biases=True):
    return Equal((outputs, inputs, kernel, kernel), outputs if biases else None, gain)


def up_conv(x, weight, fused, bias=None):
    """Nearest doubling and a 3x3 convolution."""
    if not fused:
        return F.conv2d(F.interpolate(x, scale_factor=2, mode="nearest"), weight, bias, padding=1)
    weight = F.avg_pool2d(weight.flip(2, 3).transpose(0, 1), 2, 1, 1, divisor_override=1)
    return F.conv_transpose2d(x, weight, bias, stride=2, padding=1)


def down_conv(x, layer, fused):
    """A 3x3 convolution and the mean of 2x2 pixels."""
    if not fused:
        return F.avg_pool2d(layer.conv(x), 2)
    return F.conv2d(x, F.avg_pool2d(layer.scaled(), 2, 1, 1), layer.bias, stride=2, padding=1)


def blur(x):
    taps = torch.tensor([1.0, 2.0, 1.0])
    kernel = (taps[:, None] * taps / 16).expand(x.shape[1], 1, 3, 3)
    return F.conv2d(x, kernel, padding=1, groups=x.shape[1])


class Poses:
    """Key points `[N, M, 3]` (shares of the side, and whether they are known) at every resolution."""

    def __init__(self, points, size):
        self.pixels = (points[..., :2] * size).floor().long()
        self.known = (points[..., 2] > 0) & (self.pixels >= 0).all(-1) & (self.pixels < size).all(-1)
        self.size = size
        self.places = {}

    def places_at(self, side):
        """Where the nine taps around each key point lie in planes with a border of one pixel, `[N·M·9]`; taps of
        unknown points lie behind the last plane."""
        if side not in self.places:
            n, width = len(self.pixels), side + 2
            x, y = (self.pixels * side // self.size).unbind(-1)
            # The tap (dy, dx) sees the pixel from one row and column further on.
            tap = torch.arange(3)
            rows, columns = (y[..., None, None] + 2 - tap[:, None]), (x[..., None, None] + 2 - tap)
            places = torch.arange(n)[:, None, None, None] * width * width + rows * width + columns
            places = torch.where(self.known[..., None, None], places, n * width * width)
            self.places[side] = places.flatten()
        return self.places[side]

    def response(self, weight, side):
        """What a 3x3 convolution with `weight` `[C, M, 3, 3]` answers to maps of -1 with a +1 at the points."""
        n, outputs = len(self.pixels), weight.shape[0]
        ground = F.conv2d(-torch.ones(1, 1, side, side), weight.sum(1, keepdim=True), padding=1)
        taps = (2 * weight).permute(1, 2, 3, 0).reshape(-1, outputs)
        taps = taps.expand(n, -1, -1).reshape(-1, outputs)
        stamps = torch.zeros(n * (side + 2) ** 2 + 1, outputs).index_add(0, self.places_at(side), taps)
        stamps = stamps[:-1].view(n, side + 2, side + 2, outputs)[:, 1:-1, 1:-1].permute(0, 3, 1, 2)
        return stamps + ground


def with_poses(x, weight, poses):
    """Adds the answer to the poses, whose part of the weight is given."""
    return x if poses is None else x + poses.response(weight, x.shape[-1])


class PsganBlock(nn.Module):
    def __init__(self, inputs, outputs, keypoints, fused):
        super().__init__()
        self.inputs, self.fused = inputs, fused
        self.conv0, self.conv1 = conv(inputs + keypoints, outputs), conv(outputs, outputs)

    def forward(self, x, poses):
        weight = self.conv0.scaled()
        x = up_conv(x, weight[:, :self.inputs], self.fused, self.conv0.bias)
        x = pixel_norm(leaky(with_poses(x, weight[:, self.inputs:], poses)))
        return pixel_norm(leaky(self.conv1.conv(x)))


class PsganStart(nn.Module):
    def __init__(self, network, keypoints):
        super().__init__()
        self.width = channels(network, 4)
        self.dense = Equal((16 * self.width, network["latent"]), self.width, gain=2**0.5 / 4)
        self.conv = conv(self.width + keypoints, self.width)

    def forward(self, z, poses):
        x = F.linear(pixel_norm(z), self.dense.scaled()).view(-1, self.width, 4, 4) + self.dense.bias[:, None, None]
        x = pixel_norm(leaky(x)).contiguous(memory_format=torch.channels_last)
        weight = self.conv.scaled()
        x = F.conv2d(x, weight[:, :self.width], self.conv.bias, padding=1)
        return pixel_norm(leaky(with_poses(x, weight[:, self.width:], poses)))


class PsganGenerator(nn.Module):
    def __init__(self, config):
        super().__init__()
        network, keypoints = config["network"], config["keypoints"]
        sides = resolutions(network)
        blocks = {str(side): PsganBlock(channels(network, side // 2), channels(network, side), keypoints,
                                        side >= network["fused_from"]) for side in sides[1:]}
        self.blocks = nn.ModuleDict({"4": PsganStart(network, keypoints)} | blocks)
        self.to_rgb = nn.ModuleDict({str(side): conv(channels(network, side), 3, 1, 1.0) for side in sides})

    def forward(self, z, poses):
        x = z
        for block in self.blocks.values():
            x = block(x, poses)
        return self.to_rgb[str(x.shape[-1])].conv(x)


class JudgeBlock(nn.Module):
    def __init__(self, inputs, outputs, keypoints, fused, blurred):
        super().__init__()
        self.inputs, self.fused, self.blurred = inputs, fused, blurred
        self.conv0, self.conv1 = conv(inputs + keypoints, inputs), conv(inputs, outputs)

    def forward(self, x, poses):
        weight = self.conv0.scaled()
        x = F.conv2d(x, weight[:, :self.inputs], self.conv0.bias, padding=1)
        x = leaky(with_poses(x, weight[:, self.inputs:], poses))
        return leaky(down_conv(blur(x) if self.blurred else x, self.conv1, self.fused))


class JudgeEnd(nn.Module):
    def __init__(self, network, keypoints, group):
        super().__init__()
        self.width, self.group = channels(network, 4), group
        hidden = max(1, min(network["base"], network["max"]))
        self.conv = conv(self.width + 1 + keypoints, self.width)
        self.dense0 = Equal((hidden, 16 * self.width), hidden)
        self.dense1 = Equal((1, hidden), 1, gain=1.0)

    def deviation(self, x):
        """One number a group, for all pixels of its pictures."""
        n = len(x)
        group = n if self.group == "whole" else min(n, self.group["of"])
        deviation = (x.unflatten(0, (group, n // group)).var(0, correction=0) + EPSILON).sqrt().mean((1, 2, 3))
        return deviation.repeat(group).view(n, 1, 1, 1).expand(n, 1, *x.shape[2:])

    def forward(self, x, poses):
        x = torch.cat([x, self.deviation(x)], 1).contiguous(memory_format=torch.channels_last)
        weight, inputs = self.conv.scaled(), self.width + 1
        x = F.conv2d(x, weight[:, :inputs], self.conv.bias, padding=1)
        x = leaky(with_poses(x, weight[:, inputs:], poses))
        return self.dense1.dense(leaky(self.dense0.dense(x.flatten(1))))


class GrowingDiscriminator(nn.Module):
    def __init__(self, config, keypoints, blurred):
        super().__init__()
        network = config["network"]
        sides = resolutions(network)
        blocks = {str(side): JudgeBlock(channels(network, side), channels(network, side // 2), keypoints,
                                        side >= network["fused_from"], blurred) for side in sides[1:]}
        self.blocks = nn.ModuleDict({"4": JudgeEnd(network, keypoints, config["group"])} | blocks)
        self.from_rgb = nn.ModuleDict({str(side): conv(3, channels(network, side), 1) for side in sides})

    def forward(self, pictures, poses=None):
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        x = leaky(self.from_rgb[str(pictures.shape[-1])].conv(pictures))
        for block in reversed(self.blocks.values()):
            x = block(x, poses)
        return x


class StyleLayer(nn.Module):
    """A convolution, but for the first layer; noise, bias, leaky ReLU, AdaIN."""

    def __init__(self, network, resolution, inputs, up):
        super().__init__()
        self.outputs = channels(network, resolution)
        self.up, self.fused = up, resolution >= network["fused_from"]
        self.factor = None
        if inputs:
            self.weight = nn.Parameter(torch.empty(self.outputs, inputs, 3, 3))
            self.factor = (2 / (9 * inputs)) ** 0.5
        self.bias = nn.Parameter(torch.empty(self.outputs))
        self.noise_strength = nn.Parameter(torch.empty(self.outputs))
        self.style = Equal((2 * self.outputs, network["latent"]), 2 * self.outputs, gain=1.0)
        self.register_buffer("noise", torch.empty(1, 1, resolution, resolution))

    def forward(self, x, style, noise):
        if self.factor and self.up:
            x = blur(up_conv(x, self.weight * self.factor, self.fused))
        elif self.factor:
            x = F.conv2d(x, self.weight * self.factor, padding=1)
        x = torch.addcmul(x + self.bias[:, None, None], noise, self.noise_strength[:, None, None])
        scale, shift = self.style.dense(style).chunk(2, 1)
        return adaptive_instance_norm(leaky(x), scale + 1, shift)


def adaptive_instance_norm(x, scale, shift):
    n, width, *sides = x.shape
    planes = x.reshape(1, n * width, *sides)
    planes = F.batch_norm(planes, None, None, scale.flatten(), shift.flatten(), True, 0.0, EPSILON)
    return planes.view(n, width, *sides)


class Synthesis(nn.Module):
    def __init__(self, network):
        super().__init__()
        first, layers = channels(network, 4), []
        self.const = nn.Parameter(torch.empty(1, first, 4, 4))
        for side in resolutions(network):
            before = channels(network, side // 2) if side > 4 else None
            layers += [StyleLayer(network, side, before, True), StyleLayer(network, side, channels(network, side), False)]
        self.layers = nn.ModuleList(layers)
        self.to_rgb = nn.ModuleDict({str(side): conv(channels(network, side), 3, 1, 1.0)
                                     for side in resolutions(network)})

    def forward(self, styles, noise):
        x = self.const.expand(len(noise), -1, -1, -1)
        sides = [4 << (i // 2) for i in range(len(self.layers))]
        planes = noise.split([side * side for side in sides], 1)
        for layer, side, style, plane in zip(self.layers, sides, styles, planes):
            x = layer(x, style, plane.view(-1, 1, side, side))
        return self.to_rgb[str(x.shape[-1])].conv(x)


class StyleGenerator(nn.Module):
    def __init__(self, config):
        super().__init__()
        network = config["network"]
        latent, rate = network["latent"], config["mapping_rate"]
        self.mapping = nn.ModuleList(Equal((latent, latent), latent, rate=rate) for _ in range(config["mapping_layers"]))
        self.synthesis = Synthesis(network)
        self.register_buffer("w_mean", torch.empty(latent))
        self.mean_decay = config["mean_decay"]

    def style(self, z):
        w = pixel_norm(z)
        for layer in self.mapping:
            w = leaky(layer.dense(w))
        return w

    def forward(self, z, noise, crossover):
        """`z` holds the latents of both styles; the second style comes in at the layer `crossover`, if there is one."""
        layers, crossover = len(self.synthesis.layers), int(crossover)
        z, other = z.chunk(2)
        w = self.style(z)
        self.w_mean.lerp_(w.detach().mean(0), 1 - self.mean_decay)
        styles = [w] * layers
        if crossover < layers:
            styles[crossover:] = [self.style(other)] * (layers - crossover)
        return self.synthesis(styles, noise)

    def noise_length(self):
        return sum((4 << (i // 2)) ** 2 for i in range(len(self.synthesis.layers)))


def build(model, config):
    """Generator and discriminator of `psgan` or `stylegan`; parameters are empty until weights are loaded."""
    if model == "psgan":
        if config["inject"] != "features" or config["mismatch"]:
            raise ValueError("no replica of poses beside the picture or of mismatched poses")
        return PsganGenerator(config), GrowingDiscriminator(config, config["keypoints"], False)
    return StyleGenerator(config), GrowingDiscriminator(config, 0, True)
