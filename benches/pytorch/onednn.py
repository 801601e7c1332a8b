"""The other side of benches/onednn.rs: convolutions of the oneDNN inside PyTorch, with pictures in one of three layouts.

Argument: threads. Every line of standard input is a convolution as JSON, as for ops.py, with a "layout": "plain" (as
allocated, reordered by every primitive), "channels_last", or "blocked" (pictures and gradients stay in oneDNN's own layout;
weights do not, as an optimizer has them). The answer has the milliseconds of `runs` forward and of `runs` forward and
backward passes, and the number of reorders of pictures or gradients in one of the latter, as oneDNN itself reports them.
"""

import ctypes
import json
import os
import re
import sys
import tempfile

import torch
import torch.nn.functional as F

from ops import milliseconds, spec

FUNCTIONS = {"conv2d": F.conv2d, "conv_transpose2d": F.conv_transpose2d}


class Case:
    def __init__(self, case):
        torch.manual_seed(0)
        self.function, self.how = FUNCTIONS[case["op"]], spec(case)
        x, weight = (torch.randn(shape) for shape in case["shapes"])
        if case["layout"] == "channels_last":
            x, weight = (tensor.to(memory_format=torch.channels_last) for tensor in (x, weight))
        elif case["layout"] == "blocked":
            x = blocked(x)
        self.x, self.weight = x.requires_grad_(), weight.requires_grad_()
        # The output's layout is the one that its gradient comes in.
        self.upstream = self.forward().detach()

    def forward(self):
        return self.function(self.x, self.weight, **self.how)

    def both(self):
        self.x.grad = self.weight.grad = None
        self.forward().backward(self.upstream)


def blocked(x):
    """The same numbers in the layout of a oneDNN convolution's output: a 1x1 convolution that changes nothing."""
    channels = x.shape[1]
    if channels < 16:
        return x.to_mkldnn()  # First layers read pictures as they are.
    return F.conv2d(x.to_mkldnn(), torch.eye(channels)[:, :, None, None]).detach()


PRIMITIVE = re.compile(r"^onednn_verbose,v1,primitive,exec,cpu,(\w+),")
CONVOLUTIONS = ("convolution", "deconvolution")


def report(work):
    """The lines that oneDNN writes while something is done: to this process's own output, which answers go to as well."""
    sys.stdout.flush()
    output = os.dup(1)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 1)
        try:
            with torch.backends.mkldnn.verbose(torch.backends.mkldnn.VERBOSE_ON):
                work()
            ctypes.CDLL(None).fflush(None)
        finally:
            os.dup2(output, 1)
            os.close(output)
        file.seek(0)
        return file.read().decode().splitlines()


def reorders(case, shape):
    """How many pictures or gradients a pass forward and backward reorders; an error when oneDNN did not do the work."""
    lines = report(case.both)
    done = [(match[1], line) for line in lines if (match := PRIMITIVE.match(line))]
    for wanted in ("forward_training", "backward_data", "backward_weights"):
        if not any(primitive in CONVOLUTIONS and f",{wanted}," in line for primitive, line in done):
            raise ValueError(f"no {wanted} among the primitives that oneDNN ran: {lines}")
    outputs, inputs, *kernel = shape
    weights = ["x".join(map(str, order)) for order in ((outputs, inputs, *kernel), (inputs, outputs, *kernel))]
    return sum(primitive == "reorder" and not any(f",{weight}," in line for weight in weights)
               for primitive, line in done)


def main():
    torch.set_num_threads(int(sys.argv[1]))
    number = re.search(r"MKL-DNN v([\d.]+)", torch.__config__.show())
    print(f"PyTorch {torch.__version__}, oneDNN {number[1] if number else 'of unknown version'}", flush=True)
    known = {}
    for request in sys.stdin:
        description = json.loads(request)
        runs = description.pop("runs")
        case = Case(description)
        milliseconds(case.both, 2)
        key = json.dumps(description)
        if key not in known:
            known[key] = reorders(case, description["shapes"][1])
        answer = {"forward": milliseconds(case.forward, runs), "both": milliseconds(case.both, runs)}
        print(json.dumps(answer | {"reorders": known[key]}), flush=True)


if __name__ == "__main__":
    main()
