"""The other side of benches/ops.rs: times PyTorch's operations.

Argument: threads. Every line of standard input is a case as JSON, {"op", "shapes", "stride", "padding", "runs"}; the
answer is a line of JSON with the medians of `runs` forward and of `runs` forward and backward passes, in milliseconds.
With a case as further argument it does that many passes, prints what memory they took, and ends.
"""

import json
import statistics
import sys
import time

import torch
import torch.nn.functional as F

import memory


def batch_norm(x, weight, bias):
    return F.batch_norm(x, None, None, weight, bias, training=True, eps=1e-5)


OPS = {
    "conv2d": lambda v, c: F.conv2d(v[0], v[1], stride=c["stride"], padding=c["padding"]),
    "conv_transpose2d": lambda v, c: F.conv_transpose2d(v[0], v[1], stride=c["stride"], padding=c["padding"]),
    "batch_norm": lambda v, c: batch_norm(*v),
    "instance_norm": lambda v, c: F.instance_norm(v[0], eps=1e-5),
    "leaky_relu": lambda v, c: F.leaky_relu(v[0], 0.2),
    "relu": lambda v, c: F.relu(v[0]),
    "tanh": lambda v, c: torch.tanh(v[0]),
    "sigmoid": lambda v, c: torch.sigmoid(v[0]),
    "softplus": lambda v, c: F.softplus(v[0]),
    "upsample_nearest": lambda v, c: F.interpolate(v[0], scale_factor=2, mode="nearest"),
    "avg_pool2d": lambda v, c: F.avg_pool2d(v[0], 2),
    "pixel_shuffle": lambda v, c: F.pixel_shuffle(v[0], 2),
}


class Case:
    """Operands that are made once, and the two functions to time."""

    def __init__(self, case):
        torch.manual_seed(0)
        self.case = case
        if case["op"] == "adam":
            # tachie's operands are parameter, gradient and two moments; PyTorch's optimizer makes the moments.
            parameter = torch.randn(case["shapes"][0], requires_grad=True)
            parameter.grad = torch.randn_like(parameter)
            how = {case["implementation"]: True}
            self.optimizer = torch.optim.Adam([parameter], lr=2e-4, betas=(0.5, 0.999), **how)
        else:
            self.operands = [torch.randn(shape, requires_grad=True) for shape in case["shapes"]]
            self.upstream = torch.ones_like(self.forward())

    def forward(self):
        if self.case["op"] == "adam":
            return self.optimizer.step()
        return OPS[self.case["op"]](self.operands, self.case)

    def both(self):
        if self.case["op"] == "adam":
            return self.optimizer.step()
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
    print(torch.__version__, flush=True)
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
