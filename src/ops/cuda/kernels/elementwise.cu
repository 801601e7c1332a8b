// Activations and the fused epilogues of layers: one pass over memory each. What is one number per channel or row is
// float, whatever the maps are stored as.
#include "common.cuh"

enum Function { IDENTITY = 0, LEAKY_RELU = 1, TANH = 2, SIGMOID = 3, SOFTPLUS = 4 };

__device__ __forceinline__ float logistic(float x) {
    float e = expf(-fabsf(x));
    return (x < 0.f ? e : 1.f) / (1.f + e);
}

__device__ __forceinline__ float softplus(float x) { return fmaxf(x, 0.f) + log1pf(expf(-fabsf(x))); }

// x where x > 0, else slope·x; the derivative at 0 is the slope.
__device__ __forceinline__ float factor(float x, float slope) { return x > 0.f ? 1.f : slope; }

__device__ __forceinline__ float value_of(u32 function, float x, float slope) {
    switch (function) {
    case LEAKY_RELU: return x * factor(x, slope);
    case TANH: return tanhf(x);
    case SIGMOID: return logistic(x);
    case SOFTPLUS: return softplus(x);
    default: return x;
    }
}

// The derivative; `at` is the function's value where the derivative can be told from it (tanh, sigmoid; leaky ReLU either
// way), else its operand.
__device__ __forceinline__ float slope_of(u32 function, float at, float slope) {
    switch (function) {
    case LEAKY_RELU: return factor(at, slope);
    case TANH: return 1.f - at * at;
    case SIGMOID: return (1.f - at) * at;
    case SOFTPLUS: return logistic(at);
    default: return 1.f;
    }
}

// y = f(x), x and y of n packs.
template <class T, int V>
__device__ __forceinline__ void activate(u32 n, u32 function, float slope, const T *x, T *y) {
    each(n, [=](u32 i) {
        float v[V];
        load<V>(x, i, v);
#pragma unroll
        for (int k = 0; k < V; k++) v[k] = value_of(function, v[k], slope);
        store<V>(y, i, v);
    });
}

// out = t·f' at `at`.
template <class T, int V>
__device__ __forceinline__ void slope_times(u32 n, u32 function, float slope, const T *at, const T *t, T *out) {
    each(n, [=](u32 i) {
        float a[V], b[V];
        load<V>(at, i, a);
        load<V>(t, i, b);
#pragma unroll
        for (int k = 0; k < V; k++) b[k] *= slope_of(function, a[k], slope);
        store<V>(out, i, b);
    });
}

// out = leaky ReLU of a + b; with slope 1 the sum itself.
template <class T, int V>
__device__ __forceinline__ void add_leaky_relu(u32 n, float slope, const T *a, const T *b, T *out) {
    each(n, [=](u32 i) {
        float x[V], y[V];
        load<V>(a, i, x);
        load<V>(b, i, y);
#pragma unroll
        for (int k = 0; k < V; k++) {
            float sum = x[k] + y[k];
            x[k] = sum * factor(sum, slope);
        }
        store<V>(out, i, x);
    });
}

// out = a·b.
template <class T, int V> __device__ __forceinline__ void multiply(u32 n, const T *a, const T *b, T *out) {
    each(n, [=](u32 i) {
        float x[V], y[V];
        load<V>(a, i, x);
        load<V>(b, i, y);
#pragma unroll
        for (int k = 0; k < V; k++) x[k] *= y[k];
        store<V>(out, i, x);
    });
}

// out = scale·x + offset.
template <class T, int V>
__device__ __forceinline__ void scale_offset(u32 n, float scale, float offset, const T *x, T *out) {
    each(n, [=](u32 i) {
        float v[V];
        load<V>(x, i, v);
#pragma unroll
        for (int k = 0; k < V; k++) v[k] = v[k] * scale + offset;
        store<V>(out, i, v);
    });
}

// y = f(x + bias of the channel); planes of `size` packs, `channels` of them per image.
template <class T, int V>
__device__ __forceinline__ void bias_activation(u32 n, u32 size, u32 channels, u32 function, float slope, const T *x,
                                                const float *bias, T *y) {
    each(n, [=](u32 i) {
        float v[V], b = bias[i / size % channels];
        load<V>(x, i, v);
#pragma unroll
        for (int k = 0; k < V; k++) v[k] = value_of(function, v[k] + b, slope);
        store<V>(y, i, v);
    });
}

// y = gain times the leaky ReLU of x + strength of the channel · noise of the pixel + bias of the channel; noise has one
// plane per image.
template <class T, int V>
__device__ __forceinline__ void layer_epilogue(u32 n, u32 size, u32 channels, float slope, float gain, const T *x,
                                               const T *noise, const float *strength, const float *bias, T *y) {
    each(n, [=](u32 i) {
        u32 plane = i / size, channel = plane % channels;
        float v[V], e[V], s = strength[channel], b = bias[channel];
        load<V>(x, i, v);
        load<V>(noise, plane / channels * size + i % size, e);
#pragma unroll
        for (int k = 0; k < V; k++) {
            float sum = v[k] + s * e[k] + b;
            v[k] = sum * factor(sum, slope) * gain;
        }
        store<V>(y, i, v);
    });
}

// out = noise of the pixel · strength of the channel, for all channels.
template <class T, int V>
__device__ __forceinline__ void noise_scaled(u32 n, u32 size, u32 channels, const T *noise, const float *strength, T *out) {
    each(n, [=](u32 i) {
        u32 plane = i / size;
        float v[V], s = strength[plane % channels];
        load<V>(noise, plane / channels * size + i % size, v);
#pragma unroll
        for (int k = 0; k < V; k++) v[k] *= s;
        store<V>(out, i, v);
    });
}

// out = Σ over the channels of t · strength of the channel; n packs of one plane per image.
template <class T, int V>
__device__ __forceinline__ void noise_plane(u32 n, u32 size, u32 channels, const T *t, const float *strength, T *out) {
    each(n, [=](u32 i) {
        u32 image = i / size, pixel = i % size;
        float total[V] = {};
        for (u32 channel = 0; channel < channels; channel++) {
            float v[V], s = strength[channel];
            load<V>(t, (image * channels + channel) * size + pixel, v);
#pragma unroll
            for (int k = 0; k < V; k++) total[k] += v[k] * s;
        }
        store<V>(out, i, total);
    });
}

// y = φ(f)·σ(g). Features and gates are tensors of their own (`skip` 0), or the halves of each image of one tensor: then
// an image has `half` packs of features, and `skip` = `half` packs of gates lie behind them.
template <class T, int V>
__device__ __forceinline__ void gated(u32 n, u32 half, u32 skip, u32 function, float slope, const T *f, const T *g, T *y) {
    each(n, [=](u32 i) {
        u32 at = i + i / half * skip;
        float a[V], b[V];
        load<V>(f, at, a);
        load<V>(g, at, b);
#pragma unroll
        for (int k = 0; k < V; k++) a[k] = value_of(function, a[k], slope) * logistic(b[k]);
        store<V>(y, i, a);
    });
}

// The gradients of f and g for the upstream gradient t, laid out as f and g are.
template <class T, int V>
__device__ __forceinline__ void gated_gradients(u32 n, u32 half, u32 skip, u32 function, float slope, const T *f,
                                                const T *g, const T *t, T *for_f, T *for_g) {
    each(n, [=](u32 i) {
        u32 at = i + i / half * skip;
        float a[V], b[V], c[V];
        load<V>(f, at, a);
        load<V>(g, at, b);
        load<V>(t, i, c);
#pragma unroll
        for (int k = 0; k < V; k++) {
            float value = value_of(function, a[k], slope), sigma = logistic(b[k]);
            float place = function == TANH || function == SIGMOID ? value : a[k];
            a[k] = c[k] * sigma * slope_of(function, place, slope);
            b[k] = c[k] * value * (sigma * (1.f - sigma));
        }
        store<V>(for_f, at, a);
        store<V>(for_g, at, b);
    });
}

// out = scale · the number of the row, all over rows of `size` packs; row i has number i modulo `rows`.
template <class T, int V>
__device__ __forceinline__ void fill_rows(u32 n, u32 size, u32 rows, float scale, const float *a, T *out) {
    each(n, [=](u32 i) {
        float v[V], value = scale * a[i / size % rows];
#pragma unroll
        for (int k = 0; k < V; k++) v[k] = value;
        store<V>(out, i, v);
    });
}

#define KERNELS(T, V, S)                                                                                               \
    extern "C" __global__ void activate_##S(u32 n, u32 function, float slope, const T *x, T *y) {                      \
        activate<T, V>(n, function, slope, x, y);                                                                      \
    }                                                                                                                  \
    extern "C" __global__ void slope_times_##S(u32 n, u32 function, float slope, const T *at, const T *t, T *out) {    \
        slope_times<T, V>(n, function, slope, at, t, out);                                                             \
    }                                                                                                                  \
    extern "C" __global__ void add_leaky_relu_##S(u32 n, float slope, const T *a, const T *b, T *out) {                \
        add_leaky_relu<T, V>(n, slope, a, b, out);                                                                     \
    }                                                                                                                  \
    extern "C" __global__ void multiply_##S(u32 n, const T *a, const T *b, T *out) { multiply<T, V>(n, a, b, out); }   \
    extern "C" __global__ void scale_offset_##S(u32 n, float scale, float offset, const T *x, T *out) {                \
        scale_offset<T, V>(n, scale, offset, x, out);                                                                  \
    }                                                                                                                  \
    extern "C" __global__ void bias_activation_##S(u32 n, u32 size, u32 channels, u32 function, float slope,           \
                                                   const T *x, const float *bias, T *y) {                              \
        bias_activation<T, V>(n, size, channels, function, slope, x, bias, y);                                         \
    }                                                                                                                  \
    extern "C" __global__ void layer_epilogue_##S(u32 n, u32 size, u32 channels, float slope, float gain, const T *x,  \
                                                  const T *noise, const float *strength, const float *bias, T *y) {    \
        layer_epilogue<T, V>(n, size, channels, slope, gain, x, noise, strength, bias, y);                             \
    }                                                                                                                  \
    extern "C" __global__ void noise_scaled_##S(u32 n, u32 size, u32 channels, const T *noise, const float *strength,  \
                                                T *out) {                                                              \
        noise_scaled<T, V>(n, size, channels, noise, strength, out);                                                   \
    }                                                                                                                  \
    extern "C" __global__ void noise_plane_##S(u32 n, u32 size, u32 channels, const T *t, const float *strength,       \
                                               T *out) {                                                               \
        noise_plane<T, V>(n, size, channels, t, strength, out);                                                        \
    }                                                                                                                  \
    extern "C" __global__ void gated_##S(u32 n, u32 half, u32 skip, u32 function, float slope, const T *f, const T *g, \
                                         T *y) {                                                                       \
        gated<T, V>(n, half, skip, function, slope, f, g, y);                                                          \
    }                                                                                                                  \
    extern "C" __global__ void gated_gradients_##S(u32 n, u32 half, u32 skip, u32 function, float slope, const T *f,   \
                                                   const T *g, const T *t, T *for_f, T *for_g) {                       \
        gated_gradients<T, V>(n, half, skip, function, slope, f, g, t, for_f, for_g);                                  \
    }                                                                                                                  \
    extern "C" __global__ void fill_rows_##S(u32 n, u32 size, u32 rows, float scale, const float *a, T *out) {         \
        fill_rows<T, V>(n, size, rows, scale, a, out);                                                                 \
    }
FOR_EACH_TYPE(KERNELS)
