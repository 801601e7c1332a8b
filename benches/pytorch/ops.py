"""The other side of benches/ops.rs: times PyTorch's operations.

Argument: threads. Every line of standard input is a case as JSON, {"op", "shapes", "dtype", "runs"} and what a convolution
is called with; the answer is a line of JSON with the medians of `runs` forward and of `runs` forward and backward passes, in
milliseconds.
With a case as further argument it does that many passes, prints what memory they took, and ends.
"""

import json
import math
import statistics
import sys
import time

import torch
import torch.nn.functional as F

import memory


def batch_norm(x, weight, bias):
    return F.batch_norm(x, None, None, weight, bias, training=True, eps=1e-5)


def batch_norm_eval(x, weight, bias):
    mean, variance = torch.zeros(x.shape[1]), torch.ones(x.shape[1])
    return F.batch_norm(x, mean, variance, weight, bias, training=False, eps=1e-5)


def per_channel(vector):
    return vector[:, None, None]


def adain(x, scale, shift):
    return torch.addcmul(shift[:, :, None, None], F.instance_norm(x, eps=1e-5), scale[:, :, None, None])


def minibatch_deviation_map(x):
    deviation = (x.var(0, keepdim=True, correction=0) + 1e-8).sqrt().mean(1, keepdim=True)
    return torch.cat([x, deviation.expand(len(x), -1, -1, -1)], 1)


def minibatch_deviation(x, group=4):
    n, c, h, w = x.shape
    deviation = x.view(group, n // group, c, h, w).var(0, correction=0).add(1e-8).sqrt().mean((1, 2, 3), keepdim=True)
    return torch.cat([x, deviation.repeat(group, 1, h, w)], 1)


def instance_norm_affine(x, weight, bias):
    return F.instance_norm(x, weight=weight, bias=bias, eps=1e-5)


def gated(features, gates):
    return F.leaky_relu(features, 0.2) * torch.sigmoid(gates)


def pictures(values):
    planes = values.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)
    return planes.mul_(1 / 127.5).sub_(1)


def pose_maps(points, side=64, radius=3.0):
    """1 near a known point inside the map, -1 elsewhere."""
    x, y, known = (points * 16 + 32).unbind(-1)
    x, y, pixels = x.floor(), y.floor(), torch.arange(side)
    known = (known > 0) & (x >= 0) & (x < side) & (y >= 0) & (y < side)
    rows, columns = (pixels - y[..., None]).square(), (pixels - x[..., None]).square()
    near = (rows[..., :, None] + columns[..., None, :] <= radius * radius) & known[..., None, None]
    return torch.where(near, 1.0, -1.0)


def squared_distances(queries, references):
    """From differences, which keep the digits of near rows."""
    return torch.cdist(queries, references, compute_mode="donot_use_mm_for_euclid_dist").square_()


def all_finite(tensors):
    return torch.stack([tensor.isfinite().all() for tensor in tensors]).all().item()


def spectral_norm(weight, u, v):
    matrix = weight.flatten(1)
    with torch.no_grad():
        F.normalize(torch.mv(matrix.t(), u), dim=0, eps=1e-12, out=v)
        F.normalize(torch.mv(matrix, v), dim=0, eps=1e-12, out=u)
    # The vectors move in place in the next pass, after this one's backward.
    return weight / torch.dot(u.detach().clone(), torch.mv(matrix, v.detach().clone()))


def layer_epilogue(x, noise, strength, bias):
    v = torch.addcmul(x + per_channel(bias), noise, per_channel(strength))
    return F.leaky_relu(v, 0.2, inplace=True) * math.sqrt(2)


def depthwise(x, taps, gain=1.0):
    """A separable filter as the weight of a depthwise convolution."""
    taps = torch.tensor(taps)
    return (gain * torch.outer(taps, taps)).expand(x.shape[1], 1, -1, -1).contiguous()


def warp(x):
    """Reads the pixels of every picture at (0.8 x + 0.3 y + 4, -0.3 x + 0.8 y + 20)."""
    half = (x.shape[-1] - 1) / 2
    theta = torch.tensor([[0.8, 0.3, 1.1 + 4 / half - 1], [-0.3, 0.8, 0.5 + 20 / half - 1]], dtype=x.dtype)
    grid = F.affine_grid(theta.expand(x.shape[0], 2, 3), list(x.shape), align_corners=True)
    return F.grid_sample(x, grid, align_corners=True)


def blur(x):
    return F.conv2d(x, depthwise(x, [0.25, 0.5, 0.25]), padding=1, groups=x.shape[1])


def pose(x, weight):
    """Plus a convolution of the maps of 20 key points, which are made as a training step has to."""
    n, m = torch.meshgrid(torch.arange(16), torch.arange(20), indexing="ij")
    maps = torch.full((16, 20, 64, 64), -1.0)
    maps[n, m, (7 * n + 3 * m) % 64, (5 * n + 11 * m) % 64] = 1.0
    return x + F.conv2d(maps, weight, padding=1)


TAPS = [0.125, 0.375, 0.375, 0.125]


def upsample_filtered(x):
    return F.conv_transpose2d(x, depthwise(x, TAPS, 4.0), stride=2, padding=1, groups=x.shape[1])


def downsample_filtered(x):
    return F.conv2d(x, depthwise(x, TAPS), stride=2, padding=1, groups=x.shape[1])


HALF = torch.tensor(0.5)
SPEC = ("stride", "padding", "output_padding", "dilation", "groups")


def spec(case):
    return {name: case[name] for name in SPEC if name in case}


OPS = {
    "conv2d": lambda v, c: F.conv2d(*v, **spec(c)),
    "conv_transpose2d": lambda v, c: F.conv_transpose2d(*v, **spec(c)),
    "linear": lambda v, c: F.linear(*v),
    "batch_norm": lambda v, c: batch_norm(*v),
    "batch_norm_eval": lambda v, c: batch_norm_eval(*v),
    "instance_norm": lambda v, c: F.instance_norm(v[0], eps=1e-5),
    "instance_norm_affine": lambda v, c: instance_norm_affine(*v),
    "pixel_norm": lambda v, c: v[0] * torch.rsqrt(v[0].square().mean(1, keepdim=True) + 1e-8),
    "adain": lambda v, c: adain(*v),
    "minibatch_deviation": lambda v, c: minibatch_deviation(v[0]),
    "minibatch_deviation_map": lambda v, c: minibatch_deviation_map(v[0]),
    "spectral_norm": lambda v, c: spectral_norm(*v),
    "leaky_relu": lambda v, c: F.leaky_relu(v[0], 0.2),
    "relu": lambda v, c: F.relu(v[0]),
    "tanh": lambda v, c: torch.tanh(v[0]),
    "sigmoid": lambda v, c: torch.sigmoid(v[0]),
    "softplus": lambda v, c: F.softplus(v[0]),
    "bias_leaky_relu": lambda v, c: F.leaky_relu(v[0] + per_channel(v[1]), 0.2, inplace=True),
    "add_leaky_relu": lambda v, c: F.leaky_relu(v[0] + v[1], 0.2, inplace=True),
    "layer_epilogue": lambda v, c: layer_epilogue(*v),
    "gated": lambda v, c: gated(*v),
    "gated_halves": lambda v, c: gated(*v[0].chunk(2, 1)),
    "upsample_nearest": lambda v, c: F.interpolate(v[0], scale_factor=2, mode="nearest"),
    "warp": lambda v, c: warp(v[0]),
    "avg_pool2d": lambda v, c: F.avg_pool2d(v[0], 2),
    "avg_pool2d_3x3": lambda v, c: F.avg_pool2d(v[0], 3, 2, 1),
    "avg_pool2d_inside": lambda v, c: F.avg_pool2d(v[0], 3, 1, 1, count_include_pad=False),
    "max_pool2d": lambda v, c: F.max_pool2d(v[0], 2),
    "max_pool2d_3x3": lambda v, c: F.max_pool2d(v[0], 3, 2, 1),
    "reflect_pad": lambda v, c: F.pad(v[0], (3, 3, 3, 3), mode="reflect"),
    "pixel_unshuffle": lambda v, c: F.pixel_unshuffle(v[0], 2),
    "pixel_shuffle": lambda v, c: F.pixel_shuffle(v[0], 2),
    "pose": lambda v, c: pose(v[0], v[1]),
    "blur": lambda v, c: blur(v[0]),
    "upsample_filtered": lambda v, c: upsample_filtered(v[0]),
    "downsample_filtered": lambda v, c: downsample_filtered(v[0]),
    "mean": lambda v, c: v[0].mean(),
    "mean_of_planes": lambda v, c: v[0].mean((2, 3)),
    "sum_of_channels": lambda v, c: v[0].sum((0, 2, 3)),
    "dot_of_pictures": lambda v, c: (v[0] * v[1]).sum((1, 2, 3)),
    "dot_of_channels": lambda v, c: (v[0] * v[1]).sum((0, 2, 3)),
    "add": lambda v, c: v[0] + v[1],
    "mul": lambda v, c: v[0] * v[1],
    "affine": lambda v, c: torch.add(HALF, v[0], alpha=0.5),
    "scale_pictures": lambda v, c: v[0] * v[1][:, None, None, None],
    "scale_channels": lambda v, c: v[0] * per_channel(v[1]),
    "pictures": lambda v, c: pictures(*v),
    "pose_maps": lambda v, c: pose_maps(*v),
    "squared_distances": lambda v, c: squared_distances(*v),
    "all_finite": lambda v, c: all_finite(v),
}

# What is not differentiated.
ONE_WAY = ("pictures", "pose_maps", "squared_distances", "all_finite")

# Inputs that no gradient is wanted of.
CONSTANTS = {"spectral_norm": (1, 2)}


def draw(case, shape, learns):
    dtype = getattr(torch, case["dtype"])
    if dtype == torch.uint8:
        return torch.randint(256, shape, dtype=dtype)
    return torch.randn(shape, dtype=dtype, requires_grad=learns)


class Case:
    """Operands that are made once, and the two functions to time."""

    def __init__(self, case):
        torch.manual_seed(0)
        self.case = case
        shapes = case["shapes"]
        self.in_place = None
        if case["op"] == "adam":
            # tachie's operands are parameter, gradient and two moments of each; PyTorch's optimizer makes the moments.
            parameters = [torch.randn(shape, requires_grad=True) for shape in shapes[::4]]
            for parameter in parameters:
                parameter.grad = torch.randn_like(parameter)
            how = {case["implementation"]: True}
            self.in_place = torch.optim.Adam(parameters, lr=2e-4, betas=(0.5, 0.999), **how).step
        elif case["op"] == "average":
            averages, towards = ([torch.randn(shape) for shape in shapes[i::2]] for i in range(2))
            self.in_place = lambda: torch._foreach_lerp_(averages, towards, 0.001)
        else:
            constants = range(len(shapes)) if case["op"] in ONE_WAY else CONSTANTS.get(case["op"], ())
            self.operands = [draw(case, shape, i not in constants) for i, shape in enumerate(shapes)]
            self.upstream = None if case["op"] in ONE_WAY else torch.ones_like(self.forward())

    def forward(self):
        if self.in_place:
            return self.in_place()
        return OPS[self.case["op"]](self.operands, self.case)

    def both(self):
        if self.in_place or self.upstream is None:
            return self.forward()
        for operand in self.operands:
            operand.grad = None
        self.forward().backward(self.upstream)


def milliseconds(function, runs):
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        function()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def measure_memory(case):
    start = memory.begin()
    runs, case = case.pop("runs"), Case(case)
    for _ in range(runs):
        case.both()
    print(json.dumps(memory.end(start)))


def main():
    torch.set_num_threads(int(sys.argv[1]))
    if len(sys.argv) > 2:
        return measure_memory(json.loads(sys.argv[2]))
    print(f"PyTorch {torch.__version__}", flush=True)
    line, case = None, None
    for request in sys.stdin:
        description = json.loads(request)
        runs = description.pop("runs")
        if description != line:
            line, case = description, None
            case = Case(description)
            milliseconds(case.both, 2)
        answer = {"forward": milliseconds(case.forward, runs), "both": milliseconds(case.both, runs)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
