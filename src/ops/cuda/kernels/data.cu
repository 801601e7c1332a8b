// From what data sets hold to what networks eat, and distances between features.
#include "common.cuh"

// Bytes of [N, H, W, 3] to planes [N, 3, H, W] in [−1, 1]: v / 127.5 − 1. Images of which `mirrored` says so (a byte each;
// none where null) are flipped left to right. n numbers.
extern "C" __global__ void pictures_f32(u32 n, u32 h, u32 w, const u8 *bytes, const u8 *mirrored, float *out) {
    each(n, [=](u32 i) {
        u32 x = i % w, y = i / w % h, channel = i / w / h % 3, image = i / w / h / 3;
        u32 from = mirrored && mirrored[image] ? w - 1 - x : x;
        out[i] = (float)bytes[((image * h + y) * w + from) * 3 + channel] / 127.5f - 1.f;
    });
}

// Key points [N, M, 3] (x, y in pixels of the map; the third above 0 where the point is there) to maps [N, M, h, w]: 1
// within `radius` pixels of the point's own pixel, −1 elsewhere. A point outside the map leaves its channel at −1. n pixels.
extern "C" __global__ void pose_maps_f32(u32 n, u32 h, u32 w, float radius, const float *points, float *out) {
    each(n, [=](u32 i) {
        int x = i % w, y = i / w % h;
        const float *point = points + 3 * (i / w / h);
        float px = floorf(point[0]), py = floorf(point[1]), dx = (float)x - px, dy = (float)y - py;
        bool there = point[2] > 0.f && px >= 0.f && py >= 0.f && px < (float)w && py < (float)h;
        out[i] = there && dx * dx + dy * dy <= radius * radius ? 1.f : -1.f;
    });
}

// Squared distances of `rows` queries [rows, size] to `columns` references [columns, size], as sums of squared
// differences. A block has 16×16 threads and computes as many distances from tiles in shared memory.
extern "C" __global__ void distances_f32(u32 rows, u32 columns, u32 size, const float *queries, const float *references,
                                         float *out) {
    __shared__ float a[16][17], b[16][17];
    u32 tx = threadIdx.x % 16, ty = threadIdx.x / 16;
    u32 across = (columns + 15) / 16, column0 = blockIdx.x % across * 16, row0 = blockIdx.x / across * 16;
    float total = 0.f;
    for (u32 start = 0; start < size; start += 16) {
        u32 k = start + tx;
        a[ty][tx] = row0 + ty < rows && k < size ? queries[(u64)(row0 + ty) * size + k] : 0.f;
        b[ty][tx] = column0 + ty < columns && k < size ? references[(u64)(column0 + ty) * size + k] : 0.f;
        __syncthreads();
        for (u32 i = 0; i < 16; i++) {
            float difference = a[ty][i] - b[tx][i];
            total += difference * difference;
        }
        __syncthreads();
    }
    if (row0 + ty < rows && column0 + tx < columns) out[(u64)(row0 + ty) * columns + column0 + tx] = total;
}
