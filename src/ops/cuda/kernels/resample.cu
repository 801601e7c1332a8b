// Sums and maxima of windows on planes, shuffles between channels and space, and small filters. Every kernel gathers: one
// thread an output pixel, so that no two write one place and sums have a fixed order.
#include "common.cuh"

// Windows on a plane of h×w pixels: rows×columns of them, `kernel` large, `stride` apart, the first at −`pad`.
struct Windows {
    u32 h, w, rows, columns, kernel_y, kernel_x, stride_y, stride_x, pad_y, pad_x;
};

#define WINDOWS                                                                                                        \
    u32 h, u32 w, u32 rows, u32 columns, u32 kernel_y, u32 kernel_x, u32 stride_y, u32 stride_x, u32 pad_y, u32 pad_x
#define THESE_WINDOWS                                                                                                  \
    Windows{h, w, rows, columns, kernel_y, kernel_x, stride_y, stride_x, pad_y, pad_x}

// Windows that contain pixel `at` along an axis: from..to.
__device__ __forceinline__ void containing(u32 at, u32 kernel, u32 stride, u32 pad, u32 count, u32 &from, u32 &to) {
    u32 place = at + pad;
    from = place + 1 > kernel ? (place + 1 - kernel + stride - 1) / stride : 0;
    to = place / stride + 1 < count ? place / stride + 1 : count;
}

// How many pixels of a plane of `size` along an axis window `index` covers.
__device__ __forceinline__ u32 covered(u32 index, u32 kernel, u32 stride, u32 pad, u32 size) {
    u32 from = index * stride, to = from + kernel;
    return (to < size + pad ? to : size + pad) - (from > pad ? from : pad);
}

// One over the pixels that a window covers.
__device__ __forceinline__ float share(const Windows &g, u32 row, u32 column) {
    u32 high = covered(row, g.kernel_y, g.stride_y, g.pad_y, g.h);
    return 1.f / (float)(high * covered(column, g.kernel_x, g.stride_x, g.pad_x, g.w));
}

// y = factor·Σ x over each window, or with `inside` their mean over the pixels that it covers; n windows in all planes.
template <class T>
__device__ __forceinline__ void pool(u32 n, Windows g, u32 inside, float factor, const T *x, T *y) {
    each(n, [=](u32 i) {
        u32 column = i % g.columns, row = i / g.columns % g.rows, plane = i / g.columns / g.rows;
        const T *pixels = x + (u64)plane * g.h * g.w;
        u32 top = row * g.stride_y, left = column * g.stride_x;
        float total = 0.f;
        for (u32 ky = 0; ky < g.kernel_y; ky++) {
            for (u32 kx = 0; kx < g.kernel_x; kx++) {
                // Below the padding the difference wraps around to a number larger than any plane.
                u32 py = top + ky - g.pad_y, px = left + kx - g.pad_x;
                if (py < g.h && px < g.w) total += widen(pixels[py * g.w + px]);
            }
        }
        narrow(y[i], (inside ? share(g, row, column) : factor) * total);
    });
}

// y = factor·Σ x over the windows that contain each pixel, or with `inside` each x over the pixels that its window
// covers; n pixels in all planes. The adjoint of `pool`.
template <class T>
__device__ __forceinline__ void spread(u32 n, Windows g, u32 inside, float factor, const T *x, T *y) {
    each(n, [=](u32 i) {
        u32 px = i % g.w, py = i / g.w % g.h, plane = i / g.w / g.h, top, bottom, left, right;
        containing(py, g.kernel_y, g.stride_y, g.pad_y, g.rows, top, bottom);
        containing(px, g.kernel_x, g.stride_x, g.pad_x, g.columns, left, right);
        const T *windows = x + (u64)plane * g.rows * g.columns;
        float total = 0.f;
        for (u32 row = top; row < bottom; row++) {
            for (u32 column = left; column < right; column++) {
                float value = widen(windows[row * g.columns + column]);
                total += inside ? share(g, row, column) * value : value;
            }
        }
        narrow(y[i], inside ? total : factor * total);
    });
}

// Where on its plane the largest number of a window lies: the first of equal ones, but a NaN before all numbers.
template <class T> __device__ __forceinline__ u32 largest(const Windows &g, const T *pixels, u32 row, u32 column) {
    u32 top = row * g.stride_y, left = column * g.stride_x, place = 0;
    float most = 0.f;
    bool found = false;
    for (u32 ky = 0; ky < g.kernel_y; ky++) {
        for (u32 kx = 0; kx < g.kernel_x; kx++) {
            u32 py = top + ky - g.pad_y, px = left + kx - g.pad_x;
            if (py >= g.h || px >= g.w) continue;
            float value = widen(pixels[py * g.w + px]);
            if (found && !(value > most) && value == value) continue;
            place = py * g.w + px;
            most = value;
            found = true;
        }
    }
    return place;
}

// y = t where the largest x of each window lies; n windows in all planes.
template <class T> __device__ __forceinline__ void max_pick(u32 n, Windows g, const T *x, const T *t, T *y) {
    each(n, [=](u32 i) {
        u32 column = i % g.columns, row = i / g.columns % g.rows, plane = i / g.columns / g.rows;
        u64 from = (u64)plane * g.h * g.w;
        y[i] = t[from + largest(g, x + from, row, column)];
    });
}

// y = Σ t over the windows whose largest x is that of the pixel; n pixels in all planes. The adjoint of `max_pick`.
template <class T> __device__ __forceinline__ void max_put(u32 n, Windows g, const T *x, const T *t, T *y) {
    each(n, [=](u32 i) {
        u32 px = i % g.w, py = i / g.w % g.h, plane = i / g.w / g.h, top, bottom, left, right;
        containing(py, g.kernel_y, g.stride_y, g.pad_y, g.rows, top, bottom);
        containing(px, g.kernel_x, g.stride_x, g.pad_x, g.columns, left, right);
        const T *pixels = x + (u64)plane * g.h * g.w, *windows = t + (u64)plane * g.rows * g.columns;
        float total = 0.f;
        for (u32 row = top; row < bottom; row++) {
            for (u32 column = left; column < right; column++) {
                if (largest(g, pixels, row, column) == py * g.w + px) total += widen(windows[row * g.columns + column]);
            }
        }
        narrow(y[i], total);
    });
}

// Channels to space or back by a factor r: `h`×`w` is the size of a packed plane, `channels` how many unpacked ones an
// image has. A packed channel is c·r² + sub, or sub·channels + c where `dcr`.
template <class T>
__device__ __forceinline__ void shuffle(u32 n, u32 r, u32 dcr, u32 to_space, u32 channels, u32 h, u32 w, const T *x, T *y) {
    each(n, [=](u32 i) {
        u32 px = i % (w * r), py = i / (w * r) % (h * r), plane = i / (w * r) / (h * r);
        u32 c = plane % channels, image = plane / channels, sub = py % r * r + px % r;
        u32 packed = dcr ? sub * channels + c : c * r * r + sub;
        u32 other = ((image * channels * r * r + packed) * h + py / r) * w + px / r;
        y[to_space ? i : other] = x[to_space ? other : i];
    });
}

#define TAPS 16

// A separable filter with resampling from planes of h×w to planes of rows×columns; along each axis (vertical first)
// out[o] = Σ in[i]·taps[o·down − i·up + offset].
struct Filter {
    u32 size[2], out_size[2], up[2], down[2];
    int offset[2];
    u32 count[2];
    float taps[2][TAPS];
};

// n pixels of all planes of the result.
template <class T> __device__ __forceinline__ void filter(u32 n, const Filter &f, const T *x, T *y) {
    each(n, [&](u32 i) {
        u32 column = i % f.out_size[1], row = i / f.out_size[1] % f.out_size[0], plane = i / f.out_size[1] / f.out_size[0];
        const T *pixels = x + (u64)plane * f.size[0] * f.size[1];
        int bottom = (int)(row * f.down[0]) + f.offset[0], right = (int)(column * f.down[1]) + f.offset[1];
        float total = 0.f;
        for (u32 ky = 0; ky < f.count[0]; ky++) {
            int py = bottom - (int)ky;
            if (py < 0 || py % (int)f.up[0] || py / (int)f.up[0] >= (int)f.size[0]) continue;
            const T *line = pixels + py / (int)f.up[0] * (int)f.size[1];
            float sum = 0.f;
            for (u32 kx = 0; kx < f.count[1]; kx++) {
                int px = right - (int)kx;
                if (px < 0 || px % (int)f.up[1] || px / (int)f.up[1] >= (int)f.size[1]) continue;
                sum += f.taps[1][kx] * widen(line[px / (int)f.up[1]]);
            }
            total += f.taps[0][ky] * sum;
        }
        narrow(y[i], total);
    });
}

#define KERNELS(T, S)                                                                                                  \
    extern "C" __global__ void pool_##S(u32 n, WINDOWS, u32 inside, float factor, const T *x, T *y) {                  \
        pool<T>(n, THESE_WINDOWS, inside, factor, x, y);                                                               \
    }                                                                                                                  \
    extern "C" __global__ void spread_##S(u32 n, WINDOWS, u32 inside, float factor, const T *x, T *y) {                \
        spread<T>(n, THESE_WINDOWS, inside, factor, x, y);                                                             \
    }                                                                                                                  \
    extern "C" __global__ void max_pick_##S(u32 n, WINDOWS, const T *x, const T *t, T *y) {                            \
        max_pick<T>(n, THESE_WINDOWS, x, t, y);                                                                        \
    }                                                                                                                  \
    extern "C" __global__ void max_put_##S(u32 n, WINDOWS, const T *x, const T *t, T *y) {                             \
        max_put<T>(n, THESE_WINDOWS, x, t, y);                                                                         \
    }                                                                                                                  \
    extern "C" __global__ void shuffle_##S(u32 n, u32 r, u32 dcr, u32 to_space, u32 channels, u32 h, u32 w,            \
                                           const T *x, T *y) {                                                         \
        shuffle<T>(n, r, dcr, to_space, channels, h, w, x, y);                                                         \
    }                                                                                                                  \
    extern "C" __global__ void filter_##S(u32 n, Filter f, const T *x, T *y) { filter<T>(n, f, x, y); }
FOR_EACH_SCALAR_TYPE(KERNELS)
