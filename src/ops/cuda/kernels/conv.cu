// Convolution by its definition, for builds without cuDNN and as a second opinion on it: correct and slow, one thread an
// output number.
#include "common.cuh"

struct Geometry {
    u32 images, inputs, h, w, outputs, rows, columns, kernel_y, kernel_x, groups;
    u32 stride_y, stride_x, pad_y, pad_x, dilation_y, dilation_x;
};

template <class T>
__device__ __forceinline__ void conv_forward(u32 n, Geometry g, const T *x, const T *w, T *y) {
    each(n, [=](u32 i) {
        u32 column = i % g.columns, row = i / g.columns % g.rows, output = i / g.columns / g.rows % g.outputs;
        u32 image = i / g.columns / g.rows / g.outputs, per_group = g.inputs / g.groups;
        u32 first = output / (g.outputs / g.groups) * per_group;
        float total = 0.f;
        for (u32 input = 0; input < per_group; input++) {
            const T *plane = x + (u64)(image * g.inputs + first + input) * g.h * g.w;
            const T *taps = w + (u64)(output * per_group + input) * g.kernel_y * g.kernel_x;
            for (u32 ky = 0; ky < g.kernel_y; ky++) {
                for (u32 kx = 0; kx < g.kernel_x; kx++) {
                    // Below the padding the difference wraps around to a number larger than any plane.
                    u32 py = row * g.stride_y + ky * g.dilation_y - g.pad_y;
                    u32 px = column * g.stride_x + kx * g.dilation_x - g.pad_x;
                    if (py < g.h && px < g.w) total += widen(plane[py * g.w + px]) * widen(taps[ky * g.kernel_x + kx]);
                }
            }
        }
        narrow(y[i], total);
    });
}

template <class T>
__device__ __forceinline__ void conv_data(u32 n, Geometry g, const T *dy, const T *w, T *dx) {
    each(n, [=](u32 i) {
        u32 px = i % g.w, py = i / g.w % g.h, input = i / g.w / g.h % g.inputs, image = i / g.w / g.h / g.inputs;
        u32 inputs = g.inputs / g.groups, outputs = g.outputs / g.groups, group = input / inputs;
        float total = 0.f;
        for (u32 output = group * outputs; output < (group + 1) * outputs; output++) {
            const T *plane = dy + (u64)(image * g.outputs + output) * g.rows * g.columns;
            const T *taps = w + (u64)(output * inputs + input % inputs) * g.kernel_y * g.kernel_x;
            for (u32 ky = 0; ky < g.kernel_y; ky++) {
                for (u32 kx = 0; kx < g.kernel_x; kx++) {
                    u32 y = py + g.pad_y, x = px + g.pad_x;
                    if (y < ky * g.dilation_y || x < kx * g.dilation_x) continue;
                    y -= ky * g.dilation_y;
                    x -= kx * g.dilation_x;
                    if (y % g.stride_y || x % g.stride_x) continue;
                    u32 row = y / g.stride_y, column = x / g.stride_x;
                    if (row < g.rows && column < g.columns)
                        total += widen(plane[row * g.columns + column]) * widen(taps[ky * g.kernel_x + kx]);
                }
            }
        }
        narrow(dx[i], total);
    });
}

template <class T>
__device__ __forceinline__ void conv_weight(u32 n, Geometry g, const T *x, const T *dy, T *dw) {
    each(n, [=](u32 i) {
        u32 inputs = g.inputs / g.groups, kx = i % g.kernel_x, ky = i / g.kernel_x % g.kernel_y;
        u32 input = i / g.kernel_x / g.kernel_y % inputs, output = i / g.kernel_x / g.kernel_y / inputs;
        u32 source = output / (g.outputs / g.groups) * inputs + input;
        float total = 0.f;
        for (u32 image = 0; image < g.images; image++) {
            const T *plane = x + (u64)(image * g.inputs + source) * g.h * g.w;
            const T *slopes = dy + (u64)(image * g.outputs + output) * g.rows * g.columns;
            for (u32 row = 0; row < g.rows; row++) {
                u32 py = row * g.stride_y + ky * g.dilation_y - g.pad_y;
                if (py >= g.h) continue;
                for (u32 column = 0; column < g.columns; column++) {
                    u32 px = column * g.stride_x + kx * g.dilation_x - g.pad_x;
                    if (px < g.w) total += widen(plane[py * g.w + px]) * widen(slopes[row * g.columns + column]);
                }
            }
        }
        narrow(dw[i], total);
    });
}

#define KERNELS(T, S)                                                                                                  \
    extern "C" __global__ void conv_forward_##S(u32 n, Geometry g, const T *x, const T *w, T *y) {                     \
        conv_forward<T>(n, g, x, w, y);                                                                                \
    }                                                                                                                  \
    extern "C" __global__ void conv_data_##S(u32 n, Geometry g, const T *dy, const T *w, T *dx) {                      \
        conv_data<T>(n, g, dy, w, dx);                                                                                 \
    }                                                                                                                  \
    extern "C" __global__ void conv_weight_##S(u32 n, Geometry g, const T *x, const T *dy, T *dw) {                    \
        conv_weight<T>(n, g, x, dy, dw);                                                                               \
    }
FOR_EACH_SCALAR_TYPE(KERNELS)
