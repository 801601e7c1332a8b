// Optimizer steps over many tensors in one launch. Parameters, moments and gradients are f32.
//
// A launch gets a table of tensors by value (at most 4 KiB, the limit for arguments of a kernel), so nothing is copied to
// the GPU beforehand. A block works on CHUNK numbers of one tensor; `first` holds each tensor's first block.
#include "common.cuh"

#define CHUNK 4096

// The tensor of a block: the last one whose first block is not above it.
template <class Table> __device__ __forceinline__ u32 tensor_of(const Table &table, u32 block) {
    u32 low = 0, high = table.count;
    while (high - low > 1) {
        u32 middle = (low + high) / 2;
        if (table.first[middle] <= block) low = middle;
        else high = middle;
    }
    return low;
}

#define ADAM_TENSORS 72

struct AdamTable {
    float *parameter[ADAM_TENSORS];
    const float *gradient[ADAM_TENSORS];
    float *mean[ADAM_TENSORS];
    float *square[ADAM_TENSORS];
    u32 len[ADAM_TENSORS];
    u32 first[ADAM_TENSORS];
    // Learning rate over the first moment's correction, and the root of the second's: tensors may differ in steps.
    float rate[ADAM_TENSORS];
    float root[ADAM_TENSORS];
    u32 count;
    // 1 − β₁, β₂, 1 − β₂, ε.
    float weight, decay, rest, epsilon;
};

// `scales`, where given, holds rate and root of each tensor in place of the table's, which a launch that is repeated from a
// graph cannot change. Nothing moves where `*stop` is not 0.
extern "C" __global__ void adam(AdamTable t, const float *scales, const float *stop) {
    if (stop && *stop != 0.f) return;
    u32 tensor = tensor_of(t, blockIdx.x), start = (blockIdx.x - t.first[tensor]) * CHUNK, end = start + CHUNK;
    if (end > t.len[tensor]) end = t.len[tensor];
    float *p = t.parameter[tensor], *m = t.mean[tensor], *v = t.square[tensor];
    const float *g = t.gradient[tensor];
    float rate = scales ? scales[2 * tensor] : t.rate[tensor], root = scales ? scales[2 * tensor + 1] : t.root[tensor];
    for (u32 i = start + threadIdx.x; i < end; i += blockDim.x) {
        float slope = g[i], mean = m[i] + t.weight * (slope - m[i]), square = t.decay * v[i] + t.rest * slope * slope;
        m[i] = mean;
        v[i] = square;
        p[i] -= rate * (mean / (sqrtf(square) / root + t.epsilon));
    }
}

#define LERP_TENSORS 160

struct LerpTable {
    float *average[LERP_TENSORS];
    const float *towards[LERP_TENSORS];
    u32 len[LERP_TENSORS];
    u32 first[LERP_TENSORS];
    u32 count;
    float weight;
};

// average += weight·(towards − average); with weight 1, where the sum would round, a copy.
extern "C" __global__ void lerp(LerpTable t) {
    u32 tensor = tensor_of(t, blockIdx.x), start = (blockIdx.x - t.first[tensor]) * CHUNK, end = start + CHUNK;
    if (end > t.len[tensor]) end = t.len[tensor];
    float *a = t.average[tensor];
    const float *b = t.towards[tensor];
    for (u32 i = start + threadIdx.x; i < end; i += blockDim.x) {
        float from = t.weight == 1.f ? 0.f : a[i];
        a[i] = from + t.weight * (b[i] - from);
    }
}

#define FINITE_TENSORS 240

struct FiniteTable {
    const float *tensor[FINITE_TENSORS];
    u32 len[FINITE_TENSORS];
    u32 first[FINITE_TENSORS];
    u32 count;
};

// For a tensor with numbers that are NaN or infinite, one of those; and `*stop` becomes 1.
extern "C" __global__ void find_not_finite(FiniteTable t, float *found, float *stop) {
    u32 tensor = tensor_of(t, blockIdx.x), start = (blockIdx.x - t.first[tensor]) * CHUNK, end = start + CHUNK;
    if (end > t.len[tensor]) end = t.len[tensor];
    const float *numbers = t.tensor[tensor];
    for (u32 i = start + threadIdx.x; i < end; i += blockDim.x) {
        float number = numbers[i];
        if (fabsf(number) <= 3.402823466e38f) continue;
        found[tensor] = number;
        *stop = 1.f;
    }
}
