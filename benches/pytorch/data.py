"""The other side of benches/data.rs: torchvision's data path on a folder that tachie wrote.

Arguments: workers, pictures per batch. Every line of standard input is {"folder", "mode", "epochs"} as JSON; the answer is
a line of JSON with the pictures a second. Modes: "first", one epoch with a new DataLoader; "files", epochs of a DataLoader
whose workers stay; "decoded", the same over pictures that were decoded to memory before.
"""

import csv
import json
import sys
import time
from pathlib import Path

import torch
import torchvision
from torch.utils.data import DataLoader, Dataset
from torchvision.io import ImageReadMode, decode_image
from torchvision.transforms import v2

WORKERS, BATCH = int(sys.argv[1]), int(sys.argv[2])

TRANSFORM = v2.Compose([
    v2.RandomHorizontalFlip(),
    v2.ToDtype(torch.float32, scale=True),
    v2.Normalize([0.5] * 3, [0.5] * 3),
])


class Faces(Dataset):
    """The pictures and tags of a folder; `decode` keeps the pictures in memory as bytes."""

    def __init__(self, folder, decode=False):
        folder = Path(folder)
        with open(folder / "tags.csv", newline="") as table:
            header, *rows = csv.reader(table)
        first = 2 if header[1] == "split" else 1
        self.paths = [str(folder / "images" / row[0]) for row in rows]
        self.labels = torch.tensor([[float(value) for value in row[first:]] for row in rows])
        self.pictures = [self.read(i) for i in range(len(rows))] if decode else None

    def read(self, i):
        return decode_image(self.paths[i], ImageReadMode.RGB)

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, i):
        picture = self.pictures[i] if self.pictures else self.read(i)
        return TRANSFORM(picture), self.labels[i]


def loader(folder, decode, stays):
    return DataLoader(Faces(folder, decode), batch_size=BATCH, shuffle=True, drop_last=True, num_workers=WORKERS,
                      persistent_workers=stays)


def pictures(batches):
    return sum(len(images) for images, _ in batches)


def main():
    print(f"PyTorch {torch.__version__}, torchvision {torchvision.__version__}", flush=True)
    key, batches = None, None
    for line in sys.stdin:
        request = json.loads(line)
        folder, mode = request["folder"], request["mode"]
        if mode != "first" and key != (folder, mode):
            batches = None
            key, batches = (folder, mode), loader(folder, mode == "decoded", stays=True)
            pictures(batches)
        start = time.perf_counter()
        if mode == "first":
            count = pictures(loader(folder, decode=False, stays=False))
        else:
            count = sum(pictures(batches) for _ in range(request["epochs"]))
        print(json.dumps({"pictures a second": count / (time.perf_counter() - start)}), flush=True)


if __name__ == "__main__":
    main()
