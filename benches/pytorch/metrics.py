"""The other side of benches/metrics.rs: the programs that everybody measures with.

Argument: threads. Every line of standard input is {"case", "inputs", "runs"} as JSON, inputs a file of safetensors; the
answer is a line of JSON with the median wall and the mean processor milliseconds of a run, and the number that it found.
"""

import json
import os
import statistics
import sys
import time

THREADS = int(sys.argv[1])
for library in "OMP", "OPENBLAS", "NUMBA":
    os.environ[f"{library}_NUM_THREADS"] = str(THREADS)

import numpy as np
import openTSNE
import scipy
import skimage
import torch
import torch_fidelity
import torchmetrics
from pytorch_fid.fid_score import calculate_frechet_distance
from safetensors.numpy import load_file
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

torch.set_num_threads(THREADS)


def statistics_of(features):
    return features.mean(0), np.cov(features, rowvar=False)


def frechet_of_statistics(first_mean, first_covariance, second_mean, second_covariance):
    return lambda: calculate_frechet_distance(first_mean, first_covariance, second_mean, second_covariance)


def frechet_of_features(first, second):
    return lambda: calculate_frechet_distance(*statistics_of(first), *statistics_of(second))


def tsne(features):
    """As many iterations as scikit-learn and tachie make: 250 of 1,000 with exaggeration; everything else by default."""
    settings = dict(early_exaggeration_iter=250, n_iter=750, n_jobs=THREADS, random_state=0)
    return lambda: openTSNE.TSNE(**settings).fit(features).kl_divergence


def mean(compare, first, second):
    return lambda: np.mean([compare(a, b) for a, b in zip(first, second)])


def ssim(first, second, **options):
    return mean(lambda a, b: structural_similarity(a, b, data_range=255, channel_axis=0, **options), first, second)


GAUSSIAN = dict(gaussian_weights=True, sigma=1.5)


def ms_ssim(first, second):
    first, second = (torch.from_numpy(pictures).float() for pictures in (first, second))
    return lambda: multiscale_structural_similarity_index_measure(first, second, data_range=255.0)


def kid(real, generated, subsets):
    real, generated = torch.from_numpy(real), torch.from_numpy(generated)
    options = dict(kid_subsets=int(subsets[0]), kid_subset_size=1000, rng_seed=2020, verbose=False)
    return lambda: kid_features_to_metric(generated, real, **options)["kernel_inception_distance_mean"]


def precision_recall(real, generated):
    real, generated = torch.from_numpy(real), torch.from_numpy(generated)
    options = dict(prc_neighborhood=3, prc_batch_size=10000, verbose=False)
    return lambda: prc_features_to_metric(generated, real, **options)["precision"]


BINOMIAL = np.array([1, 4, 6, 4, 1]) / 16


def smooth(pictures):
    for axis in 2, 3:
        pictures = scipy.ndimage.correlate1d(pictures, BINOMIAL, axis, mode="mirror")
    return pictures


def down(pictures):
    return smooth(pictures)[:, :, ::2, ::2]


def up(pictures):
    wide = np.zeros((*pictures.shape[:2], 2 * pictures.shape[2], 2 * pictures.shape[3]), np.float32)
    wide[:, :, ::2, ::2] = 4 * pictures
    return smooth(wide)


def sliced_wasserstein(first, second, patches=128, repeats=4, directions=128):
    """That of the authors of the paper, in NumPy: all patches of a size at once, directions in groups of 128."""
    random = np.random.default_rng(0)

    def pyramid(pictures):
        levels = [pictures.astype(np.float32)]
        while levels[-1].shape[2] > 16:
            levels.append(down(levels[-1]))
            levels[-2] -= up(levels[-1])
        return levels

    def descriptors(pictures):
        n, _, height, width = pictures.shape
        picture = np.repeat(np.arange(n), patches)[:, None, None, None]
        top, left = (random.integers(0, size - 6, n * patches)[:, None, None, None] for size in (height, width))
        steps = np.arange(7)
        channel = np.arange(3)[None, :, None, None]
        found = pictures[picture, channel, top + steps[None, None, :, None], left + steps[None, None, None, :]]
        found -= found.mean((0, 2, 3), keepdims=True)
        found /= found.std((0, 2, 3), keepdims=True)
        return found.reshape(len(found), -1)

    def distance(a, b):
        found = []
        for _ in range(repeats):
            matrix = random.standard_normal((a.shape[1], directions)).astype(np.float32)
            matrix /= np.sqrt((matrix**2).sum(0))
            found.append(np.abs(np.sort(a @ matrix, 0) - np.sort(b @ matrix, 0)).mean())
        return np.mean(found)

    def run():
        levels = zip(pyramid(first), pyramid(second))
        return np.mean([1e3 * distance(descriptors(a), descriptors(b)) for a, b in levels])

    return run


CASES = {
    "frechet of statistics": frechet_of_statistics,
    "frechet of features": frechet_of_features,
    "tsne": tsne,
    "psnr": lambda first, second: mean(peak_signal_noise_ratio, first, second),
    "ssim uniform": ssim,
    "ssim gaussian": lambda first, second: ssim(first, second, **GAUSSIAN),
    "ssim wang": lambda first, second: ssim(first, second, use_sample_covariance=False, **GAUSSIAN),
    "ms-ssim": ms_ssim,
    "kid": kid,
    "precision": precision_recall,
    "swd": sliced_wasserstein,
}


def main():
    modules = {"SciPy": scipy, "scikit-image": skimage, "openTSNE": openTSNE, "PyTorch": torch,
               "torch-fidelity": torch_fidelity, "torchmetrics": torchmetrics}
    print(", ".join(f"{name} {module.__version__}" for name, module in modules.items()), flush=True)
    last, run = None, None
    for line in sys.stdin:
        request = json.loads(line)
        key = request["case"], request["inputs"]
        if key != last:
            last, run = key, CASES[request["case"]](**load_file(request["inputs"]))
        walls, before = [], time.process_time()
        for _ in range(request["runs"]):
            start = time.perf_counter()
            found = run()
            walls.append((time.perf_counter() - start) * 1e3)
        processor = (time.process_time() - before) * 1e3 / request["runs"]
        answer = {"wall": statistics.median(walls), "processor": processor, "found": float(found)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
