// Sums over channels and planes, and normalisation by them.
//
// Numbers that stand for many (sums, factors and offsets of a channel or a row) are float, whatever the maps are stored
// as.
//
// A group of numbers is a channel of all images, or one plane; it is cut into gridDim.y parts (1 where there are groups
// enough to fill the GPU), whose results lie beside each other for a second kernel to add in a fixed order.
#include "common.cuh"

// y = x·a + b of the channel; without b where that is null.
template <class T, int V>
__device__ __forceinline__ void channel_affine(u32 n, u32 size, u32 channels, const T *x, const float *a,
                                               const float *b, T *y) {
    each(n, [=](u32 i) {
        u32 channel = i / size % channels;
        float v[V], scale = a[channel], shift = b ? b[channel] : 0.f;
        load<V>(x, i, v);
#pragma unroll
        for (int k = 0; k < V; k++) v[k] = v[k] * scale + shift;
        store<V>(y, i, v);
    });
}

// y += b of the channel, in place.
template <class T, int V>
__device__ __forceinline__ void channel_add(u32 n, u32 size, u32 channels, const float *b, T *y) {
    each(n, [=](u32 i) {
        float v[V], shift = b[i / size % channels];
        load<V>(y, i, v);
#pragma unroll
        for (int k = 0; k < V; k++) v[k] += shift;
        store<V>(y, i, v);
    });
}

// `factor`·Σ x, or `factor`·Σ x·y where y is given, of each group into `out`; of each part into `parts` where a group has
// several. A `shared` y has one plane for all channels.
template <class T, int V>
__device__ __forceinline__ void group_dot(u32 planes, u32 step, u32 size, u32 shared, float factor, const T *x, const T *y,
                                          float *parts, float *out) {
    float total = 0.f;
    for (Walk walk(blockIdx.x, planes, step, size); walk.more(); walk.next()) {
        float a[V], b[V];
        load<V>(x, walk.index(), a);
        if (y) load<V>(y, shared ? walk.plane * size + walk.offset : walk.index(), b);
#pragma unroll
        for (int k = 0; k < V; k++) total += y ? a[k] * b[k] : a[k];
    }
    total = factor * block_sum(total);
    if (threadIdx.x > 0) return;
    if (gridDim.y == 1) out[blockIdx.x] = total;
    else parts[blockIdx.x * gridDim.y + blockIdx.y] = total;
}

// out = Σ over the parts of a group.
extern "C" __global__ void add_parts(u32 groups, u32 parts, const float *from, float *out) {
    each(groups, [=](u32 group) {
        float total = 0.f;
        for (u32 part = 0; part < parts; part++) total += from[group * parts + part];
        out[group] = total;
    });
}

// (mean, Σ (x − mean)²) of each part of each group; where a group is one part, means and biased variances of all groups
// as `merge_moments` leaves them.
template <class T, int V>
__device__ __forceinline__ void moments(u32 planes, u32 step, u32 size, const T *x, float *out) {
    float total = 0.f, squares = 0.f;
    for (Walk walk(blockIdx.x, planes, step, size); walk.more(); walk.next()) {
        float v[V];
        load<V>(x, walk.index(), v);
#pragma unroll
        for (int k = 0; k < V; k++) total += v[k];
    }
    u32 count = Walk::part(blockIdx.y, planes * size) * V;
    float mean = count ? block_sum(total) / count : 0.f;
    for (Walk walk(blockIdx.x, planes, step, size); walk.more(); walk.next()) {
        float v[V];
        load<V>(x, walk.index(), v);
#pragma unroll
        for (int k = 0; k < V; k++) squares += (v[k] - mean) * (v[k] - mean);
    }
    squares = block_sum(squares);
    if (threadIdx.x > 0) return;
    bool whole = gridDim.y == 1;
    u32 at = blockIdx.x * gridDim.y + blockIdx.y;
    out[whole ? at : 2 * at] = mean;
    out[whole ? gridDim.x + at : 2 * at + 1] = whole ? squares / count : squares;
}

// Means, then biased variances of all groups, from their parts (Chan, Golub & LeVeque 1983). `total` numbers a group, cut
// into parts of `part` (the last ones may be shorter or empty).
extern "C" __global__ void merge_moments(u32 groups, u32 parts, u32 total, u32 part, const float *from, float *out) {
    each(groups, [=](u32 group) {
        float mean = 0.f, squares = 0.f, count = 0.f;
        for (u32 k = 0; k < parts; k++) {
            u32 start = k * part;
            if (start >= total) break;
            float here = (float)(start + part < total ? part : total - start);
            const float *moment = from + 2 * (group * parts + k);
            float distance = moment[0] - mean, sum = count + here;
            mean += distance * (here / sum);
            squares += moment[1] + distance * distance * (count * here / sum);
            count = sum;
        }
        out[group] = mean;
        out[groups + group] = squares / (float)total;
    });
}

// What a normalisation knows of a number's group: planes of `size` packs; groups are channels, or planes.
struct Groups {
    u32 size, channels, per_plane, groups;
    float epsilon;
    const float *means;

    __device__ __forceinline__ float mean(u32 group) const { return means[group]; }
    __device__ __forceinline__ float rate(u32 group) const { return 1.f / sqrtf(means[groups + group] + epsilon); }
};

#define GROUPS u32 size, u32 channels, u32 per_plane, u32 groups, float epsilon, const float *statistics
#define THESE_GROUPS Groups{size, channels, per_plane, groups, epsilon, statistics}

// y = γ·(x − μ)·r + β.
template <class T, int V>
__device__ __forceinline__ void normalize(u32 n, Groups g, const T *x, const float *weight, const float *bias, T *y) {
    each(n, [=](u32 i) {
        u32 plane = i / g.size, channel = plane % g.channels, group = g.per_plane ? plane : channel;
        float v[V], mean = g.mean(group), scale = g.rate(group) * weight[channel], shift = bias[channel];
        load<V>(x, i, v);
#pragma unroll
        for (int k = 0; k < V; k++) v[k] = (v[k] - mean) * scale + shift;
        store<V>(y, i, v);
    });
}

// Σ t of all parts of all groups, then Σ (x − μ)·t of all: `add_parts` makes totals of both at once.
template <class T, int V>
__device__ __forceinline__ void centred_dot(u32 planes, u32 step, u32 size, const float *means, const T *x, const T *t,
                                            float *out) {
    float total = 0.f, product = 0.f, mean = means[blockIdx.x];
    for (Walk walk(blockIdx.x, planes, step, size); walk.more(); walk.next()) {
        float a[V], b[V];
        load<V>(x, walk.index(), a);
        load<V>(t, walk.index(), b);
#pragma unroll
        for (int k = 0; k < V; k++) {
            total += b[k];
            product += (a[k] - mean) * b[k];
        }
    }
    total = block_sum(total);
    product = block_sum(product);
    if (threadIdx.x > 0) return;
    u32 at = blockIdx.x * gridDim.y + blockIdx.y;
    out[at] = total;
    out[gridDim.x * gridDim.y + at] = product;
}

// γ·r·(t − mean t − x̂·mean(x̂·t)) from the totals of `centred_dot`; `count` numbers a group.
template <class T, int V>
__device__ __forceinline__ void normalize_derivative(u32 n, Groups g, float count, const float *sums, const T *x,
                                                     const T *t, const float *weight, T *out) {
    each(n, [=](u32 i) {
        u32 plane = i / g.size, channel = plane % g.channels, group = g.per_plane ? plane : channel;
        float rate = g.rate(group), mean = g.mean(group), scale = rate * weight[channel];
        float offset = sums[group] / count, slope = sums[g.groups + group] * rate * rate / count, a[V], b[V];
        load<V>(x, i, a);
        load<V>(t, i, b);
#pragma unroll
        for (int k = 0; k < V; k++) b[k] = scale * (b[k] - offset - (a[k] - mean) * slope);
        store<V>(out, i, b);
    });
}

// Σ x̂·t per channel from the totals of `centred_dot`, of one group or of the planes of all images; and Σ t, unless null.
extern "C" __global__ void channel_gradients(GROUPS, const float *sums, float *along, float *total) {
    Groups g = THESE_GROUPS;
    each(g.channels, [=](u32 channel) {
        float products = 0.f, plain = 0.f;
        for (u32 group = channel; group < g.groups; group += g.channels) {
            products += sums[g.groups + group] * g.rate(group);
            plain += sums[group];
        }
        along[channel] = products;
        if (total) total[channel] = plain;
    });
}

// The statistics of `moments` as a batch norm's running averages take them: means, and variances times `bessel`.
extern "C" __global__ void batch_statistics(u32 channels, float bessel, const float *statistics, float *mean,
                                            float *variance) {
    each(channels, [=](u32 channel) {
        mean[channel] = statistics[channel];
        variance[channel] = statistics[channels + channel] * bessel;
    });
}

// x·r, or r·(t − x·along) where t is given: r = (mean of x² over the channels + ε)^−½, along = mean of x·t times r². One
// thread a pixel; n pixels of all images, planes of `size`.
template <class T>
__device__ __forceinline__ void pixel_norm(u32 n, u32 size, u32 channels, float epsilon, const T *x, const T *t, T *out) {
    each(n, [=](u32 i) {
        u32 start = i / size * channels * size + i % size;
        float squares = 0.f, products = 0.f;
        for (u32 channel = 0; channel < channels; channel++) {
            float value = widen(x[start + channel * size]);
            squares += value * value;
            if (t) products += value * widen(t[start + channel * size]);
        }
        float power = squares / (float)channels + epsilon, rate = 1.f / sqrtf(power);
        float along = products / (float)channels / power;
        for (u32 channel = 0; channel < channels; channel++) {
            u32 at = start + channel * size;
            float value = widen(x[at]);
            narrow(out[at], t ? rate * (widen(t[at]) - value * along) : value * rate);
        }
    });
}

// Mean and deviation of a number over the pictures of a group, which lie `step` numbers apart.
struct Spread {
    float mean, deviation;
};

template <class T>
__device__ __forceinline__ Spread spread_of(const T *x, u32 pictures, u32 step, float epsilon) {
    float total = 0.f, squares = 0.f;
    for (u32 k = 0; k < pictures; k++) total += widen(x[k * step]);
    float mean = total / (float)pictures;
    for (u32 k = 0; k < pictures; k++) {
        float distance = widen(x[k * step]) - mean;
        squares += distance * distance;
    }
    return Spread{mean, sqrtf(squares / (float)pictures + epsilon)};
}

// The deviation over the pictures of group x of the grid, averaged over `size` numbers, in gridDim.y parts.
template <class T>
__device__ __forceinline__ void minibatch_statistic(u32 size, u32 pictures, float epsilon, const T *x, float *parts) {
    float total = 0.f;
    for (u32 i = blockIdx.y * blockDim.x + threadIdx.x; i < size; i += gridDim.y * blockDim.x)
        total += spread_of(x + blockIdx.x * size + i, pictures, gridDim.x * size, epsilon).deviation;
    total = block_sum(total);
    if (threadIdx.x == 0) parts[blockIdx.x * gridDim.y + blockIdx.y] = total / (float)size;
}

// x of `size` numbers a picture, and the number of its group all over one more plane; n numbers of the result.
template <class T>
__device__ __forceinline__ void minibatch_append(u32 n, u32 size, u32 plane, u32 groups, const T *x, const float *statistic,
                                                 T *y) {
    each(n, [=](u32 i) {
        u32 picture = i / (size + plane), at = i % (size + plane);
        if (at < size) y[i] = x[picture * size + at];
        else narrow(y[i], statistic[picture % groups]);
    });
}

// Σ of the upstream gradient t of the appended planes of group x of the grid, over all numbers that it stands for.
template <class T>
__device__ __forceinline__ void minibatch_factor(u32 size, u32 plane, u32 pictures, const T *t, float *factor) {
    float total = 0.f;
    for (u32 i = threadIdx.x; i < pictures * plane; i += blockDim.x) {
        u32 picture = i / plane * gridDim.x + blockIdx.x;
        total += widen(t[picture * (size + plane) + size + i % plane]);
    }
    total = block_sum(total);
    if (threadIdx.x == 0) factor[blockIdx.x] = total / ((float)pictures * (float)size);
}

// The gradient of x.
template <class T>
__device__ __forceinline__ void minibatch_gradient(u32 n, u32 size, u32 plane, u32 groups, u32 pictures, float epsilon,
                                                   const T *x, const T *t, const float *factor, T *out) {
    each(n, [=](u32 i) {
        u32 picture = i / size, at = i % size, group = picture % groups;
        Spread spread = spread_of(x + group * size + at, pictures, groups * size, epsilon);
        float through = (widen(x[i]) - spread.mean) / spread.deviation;
        narrow(out[i], widen(t[picture * (size + plane) + at]) + factor[group] * through);
    });
}

#define KERNELS(T, V, S)                                                                                               \
    extern "C" __global__ void channel_affine_##S(u32 n, u32 size, u32 channels, const T *x, const float *a,           \
                                                  const float *b, T *y) {                                              \
        channel_affine<T, V>(n, size, channels, x, a, b, y);                                                           \
    }                                                                                                                  \
    extern "C" __global__ void channel_add_##S(u32 n, u32 size, u32 channels, const float *b, T *y) {                  \
        channel_add<T, V>(n, size, channels, b, y);                                                                    \
    }                                                                                                                  \
    extern "C" __global__ void group_dot_##S(u32 planes, u32 step, u32 size, u32 shared, float factor, const T *x,     \
                                             const T *y, float *parts, float *out) {                                   \
        group_dot<T, V>(planes, step, size, shared, factor, x, y, parts, out);                                         \
    }                                                                                                                  \
    extern "C" __global__ void moments_##S(u32 planes, u32 step, u32 size, const T *x, float *out) {                   \
        moments<T, V>(planes, step, size, x, out);                                                                     \
    }                                                                                                                  \
    extern "C" __global__ void normalize_##S(u32 n, GROUPS, const T *x, const float *weight, const float *bias,        \
                                             T *y) {                                                                   \
        normalize<T, V>(n, THESE_GROUPS, x, weight, bias, y);                                                          \
    }                                                                                                                  \
    extern "C" __global__ void centred_dot_##S(u32 planes, u32 step, u32 size, const float *means, const T *x,         \
                                               const T *t, float *out) {                                               \
        centred_dot<T, V>(planes, step, size, means, x, t, out);                                                       \
    }                                                                                                                  \
    extern "C" __global__ void normalize_derivative_##S(u32 n, GROUPS, float count, const float *sums, const T *x,     \
                                                        const T *t, const float *weight, T *out) {                     \
        normalize_derivative<T, V>(n, THESE_GROUPS, count, sums, x, t, weight, out);                                   \
    }
FOR_EACH_TYPE(KERNELS)

#define SCALAR_KERNELS(T, S)                                                                                           \
    extern "C" __global__ void pixel_norm_##S(u32 n, u32 size, u32 channels, float epsilon, const T *x, const T *t,    \
                                              T *out) {                                                                \
        pixel_norm<T>(n, size, channels, epsilon, x, t, out);                                                          \
    }                                                                                                                  \
    extern "C" __global__ void minibatch_statistic_##S(u32 size, u32 pictures, float epsilon, const T *x,              \
                                                       float *parts) {                                                 \
        minibatch_statistic<T>(size, pictures, epsilon, x, parts);                                                     \
    }                                                                                                                  \
    extern "C" __global__ void minibatch_append_##S(u32 n, u32 size, u32 plane, u32 groups, const T *x,                \
                                                    const float *statistic, T *y) {                                    \
        minibatch_append<T>(n, size, plane, groups, x, statistic, y);                                                  \
    }                                                                                                                  \
    extern "C" __global__ void minibatch_factor_##S(u32 size, u32 plane, u32 pictures, const T *t, float *factor) {    \
        minibatch_factor<T>(size, plane, pictures, t, factor);                                                         \
    }                                                                                                                  \
    extern "C" __global__ void minibatch_gradient_##S(u32 n, u32 size, u32 plane, u32 groups, u32 pictures,            \
                                                      float epsilon, const T *x, const T *t, const float *factor,      \
                                                      T *out) {                                                        \
        minibatch_gradient<T>(n, size, plane, groups, pictures, epsilon, x, t, factor, out);                           \
    }
FOR_EACH_SCALAR_TYPE(SCALAR_KERNELS)
