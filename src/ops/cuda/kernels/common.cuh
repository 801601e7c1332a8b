// What all kernels share: storage types, packs of numbers, sums over a block.
//
// No header of CUDA is included, so that the same text compiles with nvcc and, with EMULATED defined, with a C++ compiler
// (xtask/cuda/emulate.h) for tests on machines without a GPU.
#pragma once

typedef unsigned long long u64;
typedef unsigned int u32;
typedef unsigned short u16;
typedef unsigned char u8;

// Storage of 16 bits; arithmetic is always in float.
struct bf16 {
    u16 bits;
};

#ifdef EMULATED
#include "emulate.h"
#else
__device__ __forceinline__ float widen(bf16 x) { return __uint_as_float((u32)x.bits << 16); }
__device__ __forceinline__ void narrow(bf16 &to, float x) {
    u16 bits;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(x));
    to.bits = bits;
}
// The sum over the 32 threads of a warp, in all of them.
__device__ __forceinline__ float warp_sum(float x) {
    for (int distance = 16; distance > 0; distance /= 2) x += __shfl_xor_sync(0xffffffffu, x, distance);
    return x;
}
#endif
__device__ __forceinline__ float widen(float x) { return x; }
__device__ __forceinline__ void narrow(float &to, float x) { to = x; }

// V neighbours, loaded and stored by one instruction.
template <class T, int V> struct alignas(sizeof(T) * V) Pack {
    T at[V];
};

template <int V, class T> __device__ __forceinline__ void load(const T *from, u32 pack, float (&x)[V]) {
    Pack<T, V> all = reinterpret_cast<const Pack<T, V> *>(from)[pack];
#pragma unroll
    for (int k = 0; k < V; k++) x[k] = widen(all.at[k]);
}

template <int V, class T> __device__ __forceinline__ void store(T *to, u32 pack, const float (&x)[V]) {
    Pack<T, V> all;
#pragma unroll
    for (int k = 0; k < V; k++) narrow(all.at[k], x[k]);
    reinterpret_cast<Pack<T, V> *>(to)[pack] = all;
}

// f(i) for i below n, each once over all threads of the grid.
template <class F> __device__ __forceinline__ void each(u32 n, F f) {
    for (u32 i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) f(i);
}

// The sum over a block of whole warps, in all of its threads, in an order that never changes.
__device__ __forceinline__ float block_sum(float x) {
    __shared__ float warps[32];
    x = warp_sum(x);
    if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = x;
    __syncthreads();
    float total = 0.f;
    for (u32 w = 0; w < blockDim.x / 32; w++) total += warps[w];
    __syncthreads();
    return total;
}

// The walk of one thread over its share of the packs of a group of numbers: the planes of one channel in all images
// (`planes` of them, `step` planes apart), or a single plane. A group is cut into gridDim.y parts, a part among the
// threads of a block.
struct Walk {
    u32 plane, offset, left, stride_planes, stride_offset, step, size, first;

    __device__ __forceinline__ Walk(u32 group, u32 planes, u32 step_, u32 size_) {
        u32 total = planes * size_, part = (total + gridDim.y - 1) / gridDim.y, from = part * blockIdx.y;
        u32 end = from + part < total ? from + part : total, start = from + threadIdx.x;
        left = start < end ? (end - start + blockDim.x - 1) / blockDim.x : 0;
        // An empty plane has no numbers, but places are divided by its size.
        size = size_ > 0 ? size_ : 1;
        step = step_;
        first = group;
        plane = start / size;
        offset = start % size;
        stride_planes = blockDim.x / size;
        stride_offset = blockDim.x % size;
    }
    __device__ __forceinline__ bool more() const { return left > 0; }
    __device__ __forceinline__ u32 index() const { return (plane * step + first) * size + offset; }
    __device__ __forceinline__ void next() {
        left--;
        plane += stride_planes;
        offset += stride_offset;
        if (offset >= size) offset -= size, plane++;
    }
    // Numbers in the part that block y works on, in packs.
    static __device__ __forceinline__ u32 part(u32 y, u32 total) {
        u32 part = (total + gridDim.y - 1) / gridDim.y, from = part * y;
        return from >= total ? 0 : from + part < total ? part : total - from;
    }
};

// f32 and bf16, one number or four at a time. The host takes four where plane sizes and addresses allow.
#define FOR_EACH_TYPE(KERNEL)                                                                                          \
    KERNEL(float, 1, f32)                                                                                              \
    KERNEL(float, 4, f32x4)                                                                                            \
    KERNEL(bf16, 1, bf16)                                                                                              \
    KERNEL(bf16, 4, bf16x4)

#define FOR_EACH_SCALAR_TYPE(KERNEL)                                                                                   \
    KERNEL(float, f32)                                                                                                 \
    KERNEL(bf16, bf16)
