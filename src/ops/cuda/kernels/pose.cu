// What convolutions answer to pose maps, without the maps: each is `ground` everywhere but for the pixel of its point, which
// is `contrast` above it. Sums are in a fixed order, and no two threads write one place.
#include "common.cuh"

// Maps of h×w pixels, `keypoints` an image, which maximum pooling has made of maps 2^halvings times as large, and kernels of
// k×k taps, k odd.
struct Maps {
    u32 h, w, keypoints, k, halvings;
    float ground, contrast;
};

#define MAPS u32 h, u32 w, u32 keypoints, u32 k, u32 halvings, float ground, float contrast
#define THESE_MAPS                                                                                                     \
    Maps{h, w, keypoints, k, halvings, ground, contrast}

// The pixel of point `index` of points [N, M, 3] in pixels of the large maps (x, y; the third above 0 where it is known);
// false where it has none. What is not a number compares with nothing.
__device__ __forceinline__ bool pixel(const Maps &m, const float *points, u32 index, u32 &row, u32 &column) {
    const float *point = points + 3 * index;
    float x = point[0], y = point[1], right = (float)(m.w << m.halvings), bottom = (float)(m.h << m.halvings);
    if (!(point[2] > 0.f && x >= 0.f && y >= 0.f && x < right && y < bottom)) return false;
    row = (u32)y >> m.halvings;
    column = (u32)x >> m.halvings;
    return true;
}

// Σ over the maps of every tap: weight [C, M, k·k] → [C, k·k]; n of them.
template <class T> __device__ __forceinline__ void pose_sums(u32 n, u32 keypoints, u32 taps, const T *weight, float *out) {
    each(n, [=](u32 i) {
        const T *from = weight + (u64)(i / taps) * keypoints * taps + i % taps;
        float total = 0.f;
        for (u32 map = 0; map < keypoints; map++) total += widen(from[map * taps]);
        out[i] = total;
    });
}

// y = x + ground·Σ of the sums whose taps lie on the plane + contrast·Σ of the taps that lie on points; n pixels of all
// planes.
template <class T>
__device__ __forceinline__ void pose_response(u32 n, u32 channels, Maps m, const float *points, const T *x, const T *weight,
                                              const float *sums, T *y) {
    each(n, [=](u32 i) {
        u32 column = i % m.w, row = i / m.w % m.h, plane = i / m.w / m.h, image = plane / channels, channel = plane % channels;
        u32 reach = m.k / 2, taps = m.k * m.k;
        float level = 0.f, stamps = 0.f;
        for (u32 dy = 0; dy < m.k; dy++) {
            for (u32 dx = 0; dx < m.k; dx++) {
                // Before the first pixel the difference wraps around to a number larger than any plane.
                if (row + dy - reach < m.h && column + dx - reach < m.w) level += sums[channel * taps + dy * m.k + dx];
            }
        }
        for (u32 map = 0; map < m.keypoints; map++) {
            u32 at_row, at_column;
            if (!pixel(m, points, image * m.keypoints + map, at_row, at_column)) continue;
            u32 dy = at_row + reach - row, dx = at_column + reach - column;
            if (dy < m.k && dx < m.k) stamps += widen(weight[((u64)channel * m.keypoints + map) * taps + dy * m.k + dx]);
        }
        narrow(y[i], widen(x[i]) + m.ground * level + m.contrast * stamps);
    });
}

// Σ over images and pixels that a tap finds on the plane: u [N, C, h, w] → [C, k·k], a block for each.
template <class T>
__device__ __forceinline__ void pose_ground(u32 images, u32 channels, u32 h, u32 w, u32 k, const T *u, float *out) {
    u32 tap = blockIdx.x % (k * k), channel = blockIdx.x / (k * k), dy = tap / k, dx = tap % k, reach = k / 2;
    float total = 0.f;
    for (u32 i = threadIdx.x; i < images * h * w; i += blockDim.x) {
        u32 column = i % w, row = i / w % h, image = i / w / h;
        if (row + dy - reach >= h || column + dx - reach >= w) continue;
        total += widen(u[(((u64)image * channels + channel) * h + row) * w + column]);
    }
    total = block_sum(total);
    if (threadIdx.x == 0) out[blockIdx.x] = total;
}

// out = ground·`sums` (of `pose_ground`) + contrast·Σ over images of what u is where the tap lies on the point: [C, M, k·k];
// n of them.
template <class T>
__device__ __forceinline__ void pose_gradient(u32 n, u32 images, u32 channels, Maps m, const float *points, const T *u,
                                              const float *sums, T *out) {
    each(n, [=](u32 i) {
        u32 taps = m.k * m.k, tap = i % taps, map = i / taps % m.keypoints, channel = i / taps / m.keypoints;
        u32 dy = tap / m.k, dx = tap % m.k, reach = m.k / 2;
        float stamps = 0.f;
        for (u32 image = 0; image < images; image++) {
            u32 at_row, at_column;
            if (!pixel(m, points, image * m.keypoints + map, at_row, at_column)) continue;
            u32 row = at_row + reach - dy, column = at_column + reach - dx;
            if (row >= m.h || column >= m.w) continue;
            stamps += widen(u[(((u64)image * channels + channel) * m.h + row) * m.w + column]);
        }
        narrow(out[i], m.ground * sums[channel * taps + tap] + m.contrast * stamps);
    });
}

#define KERNELS(T, S)                                                                                                  \
    extern "C" __global__ void pose_sums_##S(u32 n, u32 keypoints, u32 taps, const T *weight, float *out) {            \
        pose_sums<T>(n, keypoints, taps, weight, out);                                                                 \
    }                                                                                                                  \
    extern "C" __global__ void pose_response_##S(u32 n, u32 channels, MAPS, const float *points, const T *x,           \
                                                 const T *weight, const float *sums, T *y) {                           \
        pose_response<T>(n, channels, THESE_MAPS, points, x, weight, sums, y);                                         \
    }                                                                                                                  \
    extern "C" __global__ void pose_ground_##S(u32 images, u32 channels, u32 h, u32 w, u32 k, const T *u,              \
                                               float *out) {                                                           \
        pose_ground<T>(images, channels, h, w, k, u, out);                                                             \
    }                                                                                                                  \
    extern "C" __global__ void pose_gradient_##S(u32 n, u32 images, u32 channels, MAPS, const float *points,           \
                                                 const T *u, const float *sums, T *out) {                              \
        pose_gradient<T>(n, images, channels, THESE_MAPS, points, u, sums, out);                                       \
    }
FOR_EACH_SCALAR_TYPE(KERNELS)
