"""The other side of benches/features.rs: networks of torchvision and pytorch-fid, and Illustration2Vec in PyTorch.

Arguments: threads, forward passes per round. Answers each line (network, pictures, side) with the median wall and the mean
processor milliseconds of a forward pass. Weights are drawn, none are downloaded; pictures are noise.
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


def illustration2vec():
    """The tag network: groups of convolutions with a pool between them, the mean of every plane at the end."""
    layers, inputs = [], 3
    for group in [64], [128], [256, 256], [512, 512], [512, 512], [1024, 1024, 1024]:
        for outputs in group:
            layers += [torch.nn.Conv2d(inputs, outputs, 3, padding=1), torch.nn.ReLU(inplace=True)]
            inputs = outputs
        if inputs < 1024:
            layers.append(torch.nn.MaxPool2d(2))
    layers += [torch.nn.Conv2d(inputs, 1539, 3, padding=1), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Sigmoid()]
    return torch.nn.Sequential(*layers).eval()


@functools.cache
def network(name):
    if name == "inception":
        plain = torchvision.models.inception_v3(num_classes=1008, aux_logits=False, weights=None, init_weights=False)
        pytorch_fid.inception.load_state_dict_from_url = lambda *_, **__: plain.state_dict()
        return pytorch_fid.inception.InceptionV3(resize_input=False, normalize_input=False).eval()
    if name == "i2v":
        return illustration2vec()
    make = torchvision.models.squeezenet1_1 if name == "squeezenet" else getattr(torchvision.models, name)
    return make(weights=None).features.eval()


print(f"PyTorch {torch.__version__}, torchvision {torchvision.__version__}", flush=True)
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
