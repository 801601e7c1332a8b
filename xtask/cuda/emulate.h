// The part of CUDA that the kernels use, for a C++ compiler. Threads of a block are contexts of one thread of this machine
// that hand over to each other where they wait; blocks run one after another, so `__shared__` may be static.
#pragma once
#include <cmath>
#include <cstring>

#define __device__
#define __global__
#define __forceinline__ inline
#define __shared__ static

namespace emulated {
struct Index {
    unsigned x, y, z;
};
extern Index thread, block, threads, blocks;
// Returns when every thread of the block has come here or ended.
void wait();
// One place for every thread of a block.
extern float exchange[1024];
} // namespace emulated

#define threadIdx emulated::thread
#define blockIdx emulated::block
#define blockDim emulated::threads
#define gridDim emulated::blocks

inline void __syncthreads() { emulated::wait(); }

inline float widen(bf16 x) {
    u32 bits = (u32)x.bits << 16;
    float value;
    std::memcpy(&value, &bits, 4);
    return value;
}

// To the nearest, ties to even; what is not a number stays so.
inline void narrow(bf16 &to, float x) {
    u32 bits;
    std::memcpy(&bits, &x, 4);
    to.bits = std::isnan(x) ? 0x7fff : (u16)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

// In the order of the GPU's butterfly.
inline float warp_sum(float x) {
    u32 self = threadIdx.x;
    for (u32 distance = 16; distance > 0; distance /= 2) {
        emulated::exchange[self] = x;
        emulated::wait();
        x += emulated::exchange[self ^ distance];
        emulated::wait();
    }
    return x;
}
