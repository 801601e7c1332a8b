// Many tensors between f32 and bf16 in one launch: weights before a step, their gradients after it.
//
// A launch gets a table of tensors by value (at most 4 KiB, the limit for arguments of a kernel). Row y of the grid works on
// tensor y, all of its blocks together.
#include "common.cuh"

#define CAST_TENSORS 200

struct CastTable {
    const void *from[CAST_TENSORS];
    void *to[CAST_TENSORS];
    u32 len[CAST_TENSORS];
};

template <class A, class B> __device__ __forceinline__ void cast_all(const CastTable &t) {
    const A *from = reinterpret_cast<const A *>(t.from[blockIdx.y]);
    B *to = reinterpret_cast<B *>(t.to[blockIdx.y]);
    u32 len = t.len[blockIdx.y];
    // A gradient may be a part of a larger tensor.
    bool aligned = (u64)from % (4 * sizeof(A)) == 0 && (u64)to % (4 * sizeof(B)) == 0;
    u32 packs = aligned ? len / 4 : 0;
    each(packs, [=](u32 i) {
        float x[4];
        load<4>(from, i, x);
        store<4>(to, i, x);
    });
    each(len - 4 * packs, [=](u32 i) { narrow(to[4 * packs + i], widen(from[4 * packs + i])); });
}

extern "C" __global__ void round_all(CastTable t) { cast_all<float, bf16>(t); }
extern "C" __global__ void widen_all(CastTable t) { cast_all<bf16, float>(t); }
