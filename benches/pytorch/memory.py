"""Resident memory of this process, bytes: the other side of benches/common/memory.rs."""

from pathlib import Path

import torch
import torch.nn.functional as F


def begin():
    """Does a small convolution forward and backward, so that threads and libraries are there, and lets the peak begin
    anew. Returns what the process holds, without pages of files."""
    x = torch.randn(2, 8, 16, 16, requires_grad=True)
    F.conv2d(x, torch.randn(8, 8, 3, 3, requires_grad=True), padding=1).sum().backward()
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass  # The peak is then that since the start.
    now = status()
    return now["VmRSS"] - now["RssFile"]


def end(start):
    """The peak since `begin`, which gave `start`; code that was read meanwhile does not count as growth."""
    now = status()
    return {"absolute": now["VmHWM"], "growth": now["VmHWM"] - now["RssFile"] - start}


def status():
    lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines if words[-1] == "kB"}
