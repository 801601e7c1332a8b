#!/bin/sh
# Runs the GPU suite beside PyTorch: `sh run.sh [--quick] [python]`, where the python has PyTorch with CUDA 13. Results
# go to ./results; the exit code is 0 when GPU and CPU agree and the accepted step, in TF32 and in bf16, is not slower
# than PyTorch's. `--quick` tries the way: small models, a pass or two, times that mean nothing. TORCH_DEVICE=cpu lets
# PyTorch do its part without a GPU, as CUDA_SHIM_DIR=.../target/cuda/stand-in does for the program where check-cuda has
# been.
set -u
cd "$(dirname "$0")" || exit 2
small='' quick=''
if [ "${1:-}" = --quick ]; then
    small=--small quick=--quick
    shift
fi
python=${1:-python3}
mkdir -p results
# What an earlier run has left.
rm -rf results/model-*

# PyTorch's wheels bring cuBLAS, cuRAND and cuDNN along, which the program opens when it needs them.
libraries=$("$python" - <<'END'
import pathlib
import torch
folder = pathlib.Path(torch.__file__).parent.parent / "nvidia"
print(":".join(str(path) for path in sorted(folder.glob("*/lib"))))
END
) || exit 2
# Rust's standard library lies beside the program.
LD_LIBRARY_PATH=$PWD${libraries:+:$libraries}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH TACHIE_DEVICE=cuda

code=0
./gpu_suite device > results/device.txt || exit 1
cat results/device.txt
echo "== parity of GPU and CPU"
./gpu_suite parity $small > results/parity.txt 2>&1 || code=1
cat results/parity.txt
echo "== tachie"
./gpu_suite time $quick --out results || exit 1
echo "== PyTorch"
"$python" gpu.py $quick --device "${TORCH_DEVICE:-cuda}" results || code=1
exit $code
