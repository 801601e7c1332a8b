// Planes read along straight lines, each picture's by an affine map of its own, and the adjoint. Places are in double, so that
// they fall between the same pixels as on the CPU. Sums are in a fixed order, and no two threads write one place.
#include "common.cuh"

// Planes of h×w pixels from which planes of rows×columns are read; outside lies nothing, or one mirror image after another.
struct Reading {
    u32 channels, h, w, rows, columns, mirrored;
};

#define READING u32 channels, u32 h, u32 w, u32 rows, u32 columns, u32 mirrored
#define THIS_READING                                                                                                   \
    Reading{channels, h, w, rows, columns, mirrored}

// Where pixel (x, y) is read along an axis.
__device__ __forceinline__ double place(const double *line, u32 x, u32 y) {
    return line[0] * (double)x + line[1] * (double)y + line[2];
}

// Whole numbers after which the endless line of mirror images of `size` pixels repeats itself.
__device__ __forceinline__ double period(u32 size) { return size > 1 ? 2.0 * (double)(size - 1) : 1.0; }

// The pixel at the whole number `at` of that line.
__device__ __forceinline__ u32 mirrored_at(double at, u32 size) {
    double all = period(size), within = at - all * floor(at / all);
    double nearer = within < all - within ? within : all - within;
    // At places so large that doubles are no longer whole, the difference is anything.
    if (!(nearer > 0.0)) return 0;
    return nearer < (double)(size - 1) ? (u32)nearer : size - 1;
}

// The two pixels of a line around a place, with their weights; a pixel outside has none.
struct Neighbours {
    u32 at[2];
    double weight[2];

    __device__ __forceinline__ Neighbours(double place, u32 size, bool mirrored) {
        double low = floor(place), part = place - low;
        for (int k = 0; k < 2; k++) {
            double pixel = low + (double)k;
            bool outside = !mirrored && !(pixel >= 0.0 && pixel < (double)size);
            at[k] = outside ? 0 : mirrored ? mirrored_at(pixel, size) : (u32)pixel;
            weight[k] = outside ? 0.0 : k ? part : 1.0 - part;
        }
    }
};

// x [N, C, h, w] → y [N, C, rows, columns], with maps [N, 6]; n pixels of all planes of y.
template <class T>
__device__ __forceinline__ void warp(u32 n, Reading r, const double *maps, const T *x, T *y) {
    each(n, [=](u32 i) {
        u32 column = i % r.columns, row = i / r.columns % r.rows, plane = i / r.columns / r.rows;
        const double *map = maps + 6 * (plane / r.channels);
        Neighbours across(place(map, column, row), r.w, r.mirrored), down(place(map + 3, column, row), r.h, r.mirrored);
        const T *from = x + (u64)plane * r.h * r.w;
        float total = 0.f;
        for (int a = 0; a < 2; a++) {
            for (int b = 0; b < 2; b++) {
                total += (float)(down.weight[a] * across.weight[b]) * widen(from[down.at[a] * r.w + across.at[b]]);
            }
        }
        narrow(y[i], total);
    });
}

// The weight of the whole number `at` among the neighbours of a place.
__device__ __forceinline__ double share(double place, double at) {
    double low = floor(place);
    return low == at ? 1.0 - (place - low) : low + 1.0 == at ? place - low : 0.0;
}

// Where pixel p of a line of `size` lies, from the first to the last place that is read: at p itself where outside is
// nothing, else also in mirror images, at ±p and every period.
struct Copies {
    double first[2], last[2], step;

    __device__ __forceinline__ Copies(u32 p, u32 size, bool mirrored, double lowest, double highest) {
        step = period(size);
        for (int side = 0; side < 2; side++) {
            double at = side ? -(double)p : (double)p;
            first[side] = mirrored ? at + step * ceil((lowest - 1.0 - at) / step) : at;
            last[side] = mirrored ? highest + 1.0 : at;
            // The outermost pixels lie where their mirror images do.
            if (side && (!mirrored || p == 0 || p == size - 1)) last[side] = first[side] - 1.0;
        }
    }
};

// From the least to the largest of what `line` makes of the pixels of rows×columns.
__device__ __forceinline__ double lowest(const double *line, const Reading &r) {
    double x = line[0] * (double)(r.columns - 1), y = line[1] * (double)(r.rows - 1);
    return line[2] + (x < 0.0 ? x : 0.0) + (y < 0.0 ? y : 0.0);
}
__device__ __forceinline__ double highest(const double *line, const Reading &r) {
    double x = line[0] * (double)(r.columns - 1), y = line[1] * (double)(r.rows - 1);
    return line[2] + (x > 0.0 ? x : 0.0) + (y > 0.0 ? y : 0.0);
}

// Pixels of a line of `size`, from `first` to before `end`, that lie within `reach` of the place `middle`; all of them where
// these are not numbers.
struct Range {
    u32 first, end;

    __device__ __forceinline__ Range(double middle, double reach, u32 size) {
        double from = ceil(middle - reach), to = floor(middle + reach) + 1.0;
        first = from > 0.0 ? (from < (double)size ? (u32)from : size) : 0;
        end = to < (double)size ? (to > 0.0 ? (u32)to : 0) : size;
    }
};

// The sum of u over the pixels that are read at (column, row), which may be one of a mirror image, by their weights there.
template <class T>
__device__ __forceinline__ float read_there(const Reading &r, const double *map, double column, double row, const T *u) {
    // Places less than a pixel away come from a parallelogram of pixels, and the range is the rectangle around it, a little
    // larger than computed. A map onto a line or a point has no inverse: NaN, and all pixels are looked at.
    double area = map[0] * map[4] - map[1] * map[3], dx = column - map[2], dy = row - map[5], more = 1e-3;
    Range across((map[4] * dx - map[1] * dy) / area, (fabs(map[4]) + fabs(map[1])) / fabs(area) + more, r.columns);
    Range down((map[0] * dy - map[3] * dx) / area, (fabs(map[0]) + fabs(map[3])) / fabs(area) + more, r.rows);
    float total = 0.f;
    for (u32 y = down.first; y < down.end; y++) {
        for (u32 x = across.first; x < across.end; x++) {
            double weight = share(place(map, x, y), column) * share(place(map + 3, x, y), row);
            if (weight > 0.0) total += (float)weight * widen(u[y * r.columns + x]);
        }
    }
    return total;
}

// The adjoint: u [N, C, rows, columns] → [N, C, h, w]; n pixels of all planes of the latter.
template <class T>
__device__ __forceinline__ void warp_adjoint(u32 n, Reading r, const double *maps, const T *u, T *out) {
    each(n, [=](u32 i) {
        u32 column = i % r.w, row = i / r.w % r.h, plane = i / r.w / r.h;
        const double *map = maps + 6 * (plane / r.channels);
        const T *from = u + (u64)plane * r.rows * r.columns;
        Copies across(column, r.w, r.mirrored, lowest(map, r), highest(map, r));
        Copies down(row, r.h, r.mirrored, lowest(map + 3, r), highest(map + 3, r));
        float total = 0.f;
        for (int a = 0; a < 2; a++) {
            for (double y = down.first[a]; y <= down.last[a]; y += down.step) {
                for (int b = 0; b < 2; b++) {
                    for (double x = across.first[b]; x <= across.last[b]; x += across.step) {
                        total += read_there(r, map, x, y, from);
                    }
                }
            }
        }
        narrow(out[i], total);
    });
}

#define KERNELS(T, S)                                                                                                  \
    extern "C" __global__ void warp_##S(u32 n, READING, const double *maps, const T *x, T *y) {                        \
        warp<T>(n, THIS_READING, maps, x, y);                                                                          \
    }                                                                                                                  \
    extern "C" __global__ void warp_adjoint_##S(u32 n, READING, const double *maps, const T *u, T *out) {              \
        warp_adjoint<T>(n, THIS_READING, maps, u, out);                                                                \
    }
FOR_EACH_SCALAR_TYPE(KERNELS)
