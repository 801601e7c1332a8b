#!/bin/sh
# Runs the GPU suite beside PyTorch: `sh run.sh [python]`, where the python has PyTorch with CUDA 13. Results go to ./results;
# the exit code is 0 when GPU and CPU agree and the accepted step is not slower than PyTorch's.
set -u
cd "$(dirname "$0")" || exit 2
python=${1:-python3}
mkdir -p results

# PyTorch's wheels bring cuBLAS, cuRAND and cuDNN along, which the program opens when it needs them.
libraries=$("$python" - <<'END'
import pathlib
import torch
folder = pathlib.Path(torch.__file__).parent.parent / "nvidia"
print(":".join(str(path) for path in sorted(folder.glob("*/lib"))))
END
) || exit 2
# Rust's standard library lies beside the program.
LD_LIBRARY_PATH=$PWD:$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH TACHIE_DEVICE=cuda

code=0
./gpu_suite device | tee results/device.txt
echo "== parity of GPU and CPU"
./gpu_suite parity > results/parity.txt 2>&1 || code=1
cat results/parity.txt
echo "== tachie"
./gpu_suite time --out results || exit 1
echo "== PyTorch"
"$python" gpu.py results || code=1
exit $code
