"""The other side of the GPU suite: times PyTorch on what `gpu_suite time` has left in a folder, and puts both beside each
other in table.txt and results.csv.

Argument: the folder. PyTorch runs eagerly with TF32 and with bf16 (autocast, channels_last), and compiled where that
works; cudnn.benchmark is on. The exit code is 1 when the accepted step is slower than PyTorch's eager one.
"""

import argparse
import contextlib
import csv
import functools
import json
import struct
import sys
import time
import types
from pathlib import Path

import torch
import torch.nn.functional as F

# Seconds that a measurement lasts, and passes before it.
LASTING = 1.0
WARM = 5
# The step that the engine is accepted by.
ACCEPTED = "make-girls paper, 128 px, batch 64"


def load_file(path, device):
    """Reads safetensors where the package is not installed."""
    data = Path(path).read_bytes()
    length, = struct.unpack("<Q", data[:8])
    types_of = {"F32": torch.float32, "F64": torch.float64, "I64": torch.int64, "U8": torch.uint8}
    tensors = {}
    for name, about in json.loads(data[8:8 + length]).items():
        if name != "__metadata__":
            start, end = (8 + length + at for at in about["data_offsets"])
            flat = torch.frombuffer(bytearray(data[start:end]), dtype=types_of[about["dtype"]])
            tensors[name] = flat.reshape(about["shape"]).to(device)
    return tensors


def training_of(device):
    """steps.Training, whose tensors all lie on the device."""
    stand_in = types.ModuleType("safetensors.torch")
    stand_in.load_file = functools.partial(load_file, device=device)
    stand_in.save_file = None
    sys.modules["safetensors"] = types.ModuleType("safetensors")
    sys.modules["safetensors.torch"] = stand_in
    import steps
    return steps.Training


class Clock:
    def __init__(self, device):
        self.wait = torch.cuda.synchronize if device == "cuda" else lambda: None

    def milliseconds(self, work):
        for _ in range(WARM):
            work()
        self.wait()
        start = time.perf_counter()
        work()
        self.wait()
        passes = int(min(max(LASTING / max(time.perf_counter() - start, 1e-5), 3), 2000))
        start = time.perf_counter()
        for _ in range(passes):
            work()
        self.wait()
        return (time.perf_counter() - start) * 1e3 / passes


def operation(request, half, device):
    """Forward and backward of a convolution as a function."""
    dtype, layout = (torch.bfloat16, torch.channels_last) if half else (torch.float32, torch.contiguous_format)
    def operand(shape):
        tensor = torch.randn(shape).to(device=device, dtype=dtype).to(memory_format=layout)
        return tensor.requires_grad_(True)
    x, w = operand(request["x"]), operand(request["w"])
    upstream = torch.ones_like(F.conv2d(x, w, stride=request["stride"], padding=request["padding"]))

    def run():
        x.grad = w.grad = None
        F.conv2d(x, w, stride=request["stride"], padding=request["padding"]).backward(upstream)
    return run


def step(Training, folder, mode):
    """A training step as a function; `mode` is tf32, bf16 or compiled."""
    training = Training(folder)
    precision = contextlib.nullcontext
    if mode == "bf16":
        device = next(iter(training.batch.values())).device.type
        precision = functools.partial(torch.autocast, device, dtype=torch.bfloat16)
        for network in training.networks.values():
            network.to(memory_format=torch.channels_last)
        training.batch["images"] = training.batch["images"].to(memory_format=torch.channels_last)
    if mode == "compiled":
        for network in training.networks.values():
            network.compile()

    def run():
        with precision():
            training.step(training.draw())
    return run


def measured(folder, device):
    """(kind, name, mode) → milliseconds, or why there are none."""
    clock, Training, times = Clock(device), training_of(device), {}

    def measure(key, make):
        try:
            times[key] = clock.milliseconds(make())
        except Exception as error:  # whatever a mode does not support is a row of the table
            times[key] = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        print(*key, times[key], flush=True)

    for request in json.loads((folder / "operations.json").read_text()):
        for mode in ("tf32", "bf16"):
            measure(("operation", request["name"], mode), lambda: operation(request, mode == "bf16", device))
    for model in sorted(folder.glob("model-*")):
        for mode in ("tf32", "bf16", "compiled"):
            name = (model / "name.txt").read_text()
            measure(("step", name, mode), lambda: step(Training, model, mode))
    return times


def report(folder, theirs):
    """Writes and prints the table; true when the accepted step is not slower."""
    with open(folder / "tachie.csv", newline="") as file:
        ours = {(row["kind"], row["name"], row["type"]): float(row["milliseconds"]) for row in csv.DictReader(file)}
    lines, rows, good = [], [], False
    for key, other in theirs.items():
        kind, name, mode = key
        mine = ours.get((kind, name, "tf32" if mode == "compiled" else mode))
        timed = mine is not None and isinstance(other, float)
        ratio = mine / other if timed else None
        if timed and mode == "tf32" and name == ACCEPTED:
            good = ratio <= 1.0
        show = lambda value: f"{value:10.3f}" if isinstance(value, float) else f"{'–':>10}"
        remark = "" if isinstance(other, float) else f"  {other}"
        lines.append(f"{show(mine)} {show(other if isinstance(other, float) else None)} {show(ratio)}  {mode:8} {name}{remark}")
        rows.append([kind, name, mode, mine, other, ratio])
    head = f"{'tachie ms':>10} {'PyTorch ms':>10} {'ratio':>10}"
    text = "\n".join([f"PyTorch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}", head, *lines])
    print(text)
    (folder / "table.txt").write_text(text + "\n")
    with open(folder / "results.csv", "w", newline="") as file:
        csv.writer(file).writerows([["kind", "name", "mode", "tachie_ms", "pytorch_ms", "ratio"], *rows])
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", default="cuda", help="cpu tries the script out; its times mean nothing")
    arguments = parser.parse_args()
    torch.set_default_device(arguments.device)
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.manual_seed(0)
    sys.exit(0 if report(arguments.folder, measured(arguments.folder, arguments.device)) else 1)


if __name__ == "__main__":
    main()
