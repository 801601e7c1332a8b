"""The other side of benches/features.rs: times networks of torchvision and pytorch-fid on pictures of zeros to ones.

Arguments: threads, forward passes per round. Answers each line (network, pictures, side) with the median wall and the mean
processor milliseconds of a forward pass. Needs torchvision and pytorch-fid; weights are drawn, none are downloaded.
"""

import functools
import json
import statistics
import sys
import time

import pytorch_fid.inception
import torch
import torchvision

threads, runs = int(sys.argv[1]), int(sys.argv[2])
torch.set_num_threads(threads)
torch.manual_seed(1)


@functools.cache
def network(name):
    if name == "inception":
        plain = torchvision.models.inception_v3(num_classes=1008, aux_logits=False, weights=None, init_weights=False)
        pytorch_fid.inception.load_state_dict_from_url = lambda *_, **__: plain.state_dict()
        return pytorch_fid.inception.InceptionV3(resize_input=False, normalize_input=False).eval()
    return getattr(torchvision.models, name)(weights=None).features.eval()


for line in sys.stdin:
    name, pictures, side = json.loads(line)
    x, walls = torch.rand(pictures, 3, side, side), []
    with torch.inference_mode():
        network(name)(x)
        before = time.process_time()
        for _ in range(runs):
            start = time.perf_counter()
            network(name)(x)
            walls.append((time.perf_counter() - start) * 1e3)
    processor = (time.process_time() - before) * 1e3 / runs
    print(json.dumps({"wall": statistics.median(walls), "processor": processor}), flush=True)
