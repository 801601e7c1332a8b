"""The other side of the GPU suite: times PyTorch on what `gpu_suite time` has left in a folder, and puts both beside each
other in table.txt and results.csv.

Argument: the folder. PyTorch runs eagerly with TF32 and with bf16 (autocast, channels_last), and compiled where that
works; cudnn.benchmark is on. The exit code is 1 when the accepted step is slower than PyTorch's eager one, in TF32 or in
bf16.
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

# Seconds that a measurement of a step or an operation lasts, and passes before it.
LASTING = {"step": 1.0, "operation": 0.3}
WARM = 5
# The step that the engine is accepted by, in both of these.
ACCEPTED = "make-girls paper, 128 px, batch 64"
MODES = ("tf32", "bf16")


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


def sides_of(device):
    """The modules steps and ops, whose tensors all lie on the device."""
    stand_in = types.ModuleType("safetensors.torch")
    stand_in.load_file = functools.partial(load_file, device=device)
    stand_in.save_file = None
    sys.modules["safetensors"] = types.ModuleType("safetensors")
    sys.modules["safetensors.torch"] = stand_in
    import ops
    import steps
    make, known = ops.depthwise, {}

    def depthwise(x, taps, gain=1.0):
        # Made anew in every pass, the taps would be copied to the GPU, which waits for that.
        key = (x.shape[1], x.dtype, tuple(taps), gain)
        if key not in known:
            known[key] = make(x, taps, gain)
        return known[key]

    ops.depthwise = depthwise
    return steps, ops


class Clock:
    def __init__(self, device, quick):
        self.wait = torch.cuda.synchronize if device == "cuda" else lambda: None
        self.quick = quick

    def milliseconds(self, kind, work):
        for _ in range(1 if self.quick else WARM):
            work()
        self.wait()
        start = time.perf_counter()
        work()
        self.wait()
        passes = int(min(max(LASTING[kind] / max(time.perf_counter() - start, 1e-5), 3), 1 if self.quick else 2000))
        start = time.perf_counter()
        for _ in range(passes):
            work()
        self.wait()
        return (time.perf_counter() - start) * 1e3 / passes


def operation(ops, request, half):
    """Forward and backward of an operation, or one step in place, as a function. In bf16 everything is bf16, and maps are
    channels_last."""
    torch.set_default_dtype(torch.bfloat16 if half else torch.float32)
    case = ops.Case(request | {"dtype": "bfloat16"} if half else request)
    if case.in_place:
        return case.in_place
    if half:
        constants = ops.CONSTANTS.get(request["op"], ())

        def operand(i, tensor):
            layout = torch.channels_last if tensor.dim() == 4 else torch.contiguous_format
            tensor = tensor.detach().to(memory_format=layout)
            return tensor.requires_grad_(i not in constants)
        case.operands = [operand(i, tensor) for i, tensor in enumerate(case.operands)]
        case.upstream = torch.ones_like(case.forward())
    return case.both


def step(open_training, folder, mode):
    """A training step as a function; `mode` is tf32, bf16 or compiled."""
    torch.set_default_dtype(torch.float32)
    training = open_training(folder)
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


def measured(folder, device, quick):
    """(kind, name, mode) → milliseconds, or why there are none."""
    clock, (steps, ops), times = Clock(device, quick), sides_of(device), {}

    def measure(key, make):
        try:
            times[key] = clock.milliseconds(key[0], make())
        except Exception as error:  # whatever a mode does not support is a row of the table
            times[key] = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        print(*key, times[key], flush=True)

    for request in json.loads((folder / "operations.json").read_text()):
        name, modes = request.pop("name"), request.pop("modes")
        for mode in modes:
            measure(("operation", name, mode), lambda: operation(ops, request, mode == "bf16"))
    for model in sorted(folder.glob("model-*")):
        name = (model / "name.txt").read_text()
        for mode in (*MODES, "compiled"):
            measure(("step", name, mode), lambda: step(steps.training, model, mode))
    return times


def report(folder, theirs):
    """Writes and prints the table; true when the accepted step is not slower in any of MODES."""
    with open(folder / "tachie.csv", newline="") as file:
        ours = {(row["kind"], row["name"], row["type"]): float(row["milliseconds"]) for row in csv.DictReader(file)}
    # Steps as CUDA graphs stand beside PyTorch's own, launched one by one.
    graphs = [(key, (*key[:2], key[2].removesuffix("-graph"))) for key in ours if key[2].endswith("-graph")]
    theirs = theirs | {key: theirs[plain] for key, plain in graphs if plain in theirs}
    lines, rows, accepted = [], [], {}
    for key, other in theirs.items():
        kind, name, mode = key
        mine = ours.get((kind, name, "tf32" if mode == "compiled" else mode))
        timed = mine is not None and isinstance(other, float)
        ratio = mine / other if timed else None
        if timed and name == ACCEPTED:
            accepted[mode] = ratio <= 1.0
        show = lambda value: f"{value:10.3f}" if isinstance(value, float) else f"{'–':>10}"
        remark = "" if isinstance(other, float) else f"  {other}"
        lines.append(f"{show(mine)} {show(other if isinstance(other, float) else None)} {show(ratio)}  {mode:10} {name}{remark}")
        rows.append([kind, name, mode, mine, other, ratio])
    head = f"{'tachie ms':>10} {'PyTorch ms':>10} {'ratio':>10}"
    text = "\n".join([f"PyTorch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}", head, *lines])
    print(text)
    (folder / "table.txt").write_text(text + "\n")
    with open(folder / "results.csv", "w", newline="") as file:
        csv.writer(file).writerows([["kind", "name", "mode", "tachie_ms", "pytorch_ms", "ratio"], *rows])
    return all(accepted.get(mode, False) for mode in MODES)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", default="cuda", help="cpu tries the script out; its times mean nothing")
    parser.add_argument("--quick", action="store_true", help="a pass or two of everything, nothing is accepted by it")
    arguments = parser.parse_args()
    torch.set_default_device(arguments.device)
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.manual_seed(0)
    good = report(arguments.folder, measured(arguments.folder, arguments.device, arguments.quick))
    sys.exit(0 if good or arguments.quick else 1)


if __name__ == "__main__":
    main()
