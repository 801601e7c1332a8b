"""Measures the notebook kernel through its own protocol and prints a Markdown table.

Wall seconds depend on what else the machine does; the CPU seconds of the kernel and all its children are steadier.
"""

import argparse
import queue
import statistics
import sys
import time

import psutil
from jupyter_client.manager import KernelManager

START = [
    (":dep", ':dep tachie = { path = "kernel" }'),
    ("use the prelude", "use tachie::prelude::*;"),
    ("first `let`", "let first = seed(1);"),
    ("first figure", "Avatar::faces().size(64).seed(first).take(16)?.show_batch(2)?"),
]
CELLS = [
    ("empty block", "{}"),
    ("`println!`", 'println!("hello");'),
    ("`let`", "let number: i32 = {i};"),
    ("`let` of an inferred type", "let faces{i} = Avatar::faces().size(64).take(16)?;"),
    ("show a value", "seed({i})"),
    ("grid", "Avatar::faces().size(64).take(16)?.show_batch(2)?"),
    ("table", 'Table::builder().integers("step", [{i}, 2, 3]).build()?'),
    ("tensor", "println!(\"{}\", Tensor::new(&[{i}f32, 2.0], &device()?)?.sqr()?);"),
]


def cpu(process):
    """CPU seconds of a process, its living children and those it has waited for."""
    total = 0.0
    for each in [process, *process.children(recursive=True)]:
        try:
            total += sum(each.cpu_times()[:4])
        except psutil.Error:
            pass
    return total


class Kernel:
    """A running kernel, measured from its start."""

    def __init__(self, name):
        started = time.monotonic()
        self.manager = KernelManager(kernel_name=name)
        self.manager.start_kernel()
        self.process = psutil.Process(self.manager.provisioner.process.pid)
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=600)
        self.ready = (time.monotonic() - started, cpu(self.process))

    def run(self, code):
        """Executes a cell: wall seconds, CPU seconds."""
        before, started = cpu(self.process), time.monotonic()
        message = self.client.execute(code)
        while True:
            try:
                answer = self.client.get_iopub_msg(timeout=1)
            except queue.Empty:
                if not self.manager.is_alive():
                    sys.exit(f"the kernel died in the cell: {code}")
                continue
            kind, content = answer["msg_type"], answer["content"]
            if kind == "error":
                sys.exit("\n".join(["this cell failed:", code, *content["traceback"]]))
            if kind == "stream" and content["name"] == "stderr":
                sys.exit("\n".join(["this cell failed:", code, content["text"]]))
            if answer["parent_header"].get("msg_id") == message and kind == "status":
                if content["execution_state"] == "idle":
                    break
        wall = time.monotonic() - started
        self.client.get_shell_msg(timeout=60)
        return wall, cpu(self.process) - before

    def stop(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=False)


def row(name, runs):
    walls, cpus = zip(*runs)
    spread = f"{min(walls):.2f}–{max(walls):.2f}" if len(runs) > 1 else ""
    print(f"| {name} | {statistics.median(walls):.2f} | {spread} | {statistics.median(cpus):.2f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kernel", required=True)
    parser.add_argument("--starts", type=int, default=3, help="warm starts to measure")
    parser.add_argument("--runs", type=int, default=7, help="runs of every cell")
    args = parser.parse_args()
    starts = {name: [] for name in ["kernel ready", *(name for name, _ in START), "start to first figure"]}
    for number in range(args.starts):
        kernel = Kernel(args.kernel)
        starts["kernel ready"].append(kernel.ready)
        steps = [(name, kernel.run(code)) for name, code in START]
        for name, run in steps:
            starts[name].append(run)
        runs = [kernel.ready, *(run for _, run in steps)]
        starts["start to first figure"].append(tuple(map(sum, zip(*runs))))
        if number + 1 < args.starts:
            kernel.stop()
    print(f"\n| warm start ({args.starts} runs) | seconds (median) | range | CPU seconds |\n|---|---|---|---|")
    for name, runs in starts.items():
        row(name, runs)
    print(f"\n| a cell ({args.runs} runs) | seconds (median) | range | CPU seconds |\n|---|---|---|---|")
    for name, code in CELLS:
        row(name, [kernel.run(code.replace("{i}", str(i))) for i in range(args.runs)])
    resident = sum(each.memory_info().rss for each in [kernel.process, *kernel.process.children(recursive=True)])
    print(f"\nKernel memory: {resident / 2**30:.2f} GiB; load average {psutil.getloadavg()[0]:.1f} at the end.")
    kernel.stop()


if __name__ == "__main__":
    main()
