// What the kernels of candle-kernels 0.11.1 that a training step meets compute, written anew as loops over a whole tensor:
// the stand-in for a GPU has to run them too, but they are not under test. Names and arguments are candle's.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace candle {
typedef size_t Size;

// Where number i of a tensor lies; `info` holds dims and strides, or is null for a contiguous one.
inline Size place(Size i, Size rank, const Size *dims, const Size *strides) {
    Size at = 0;
    for (Size d = rank; d-- > 0; i /= dims[d]) at += i % dims[d] * strides[d];
    return at;
}

inline float get(float x) { return x; }
inline float get(bf16 x) { return widen(x); }
inline float get(uint8_t x) { return x; }
inline float get(uint32_t x) { return (float)x; }
inline float get(int64_t x) { return (float)x; }
inline double get(double x) { return x; }
inline void put(float &to, double x) { to = (float)x; }
inline void put(bf16 &to, double x) { narrow(to, (float)x); }
inline void put(uint8_t &to, double x) { to = (uint8_t)x; }
inline void put(uint32_t &to, double x) { to = (uint32_t)x; }
inline void put(int64_t &to, double x) { to = (int64_t)x; }
inline void put(double &to, double x) { to = x; }

#define FUNCTION1(name, expression)                                                                                    \
    struct name {                                                                                                      \
        float operator()(float x) const { return expression; }                                                         \
    };
FUNCTION1(Copy, x)
FUNCTION1(Negate, -x)
FUNCTION1(Exp, std::exp(x))
FUNCTION1(Log, std::log(x))
FUNCTION1(Sqrt, std::sqrt(x))
FUNCTION1(Square, x *x)
FUNCTION1(Reciprocal, 1 / x)
FUNCTION1(Absolute, std::fabs(x))
FUNCTION1(Tanh, std::tanh(x))
FUNCTION1(Relu, std::max(x, 0.f))

#define FUNCTION2(name, expression)                                                                                    \
    struct name {                                                                                                      \
        float operator()(float x, float y) const { return expression; }                                                \
    };
FUNCTION2(Add, x + y)
FUNCTION2(Subtract, x - y)
FUNCTION2(Multiply, x *y)
FUNCTION2(Divide, x / y)
FUNCTION2(Maximum, std::max(x, y))
FUNCTION2(Minimum, std::min(x, y))
FUNCTION2(Equal, x == y)
FUNCTION2(NotEqual, x != y)
FUNCTION2(Less, x < y)
FUNCTION2(LessEqual, x <= y)
FUNCTION2(Greater, x > y)
FUNCTION2(GreaterEqual, x >= y)

// Without a source the result is changed in place.
template <class T, class F> void unary(Size n, Size rank, const Size *info, const T *x, T *out) {
    for (Size i = 0; i < n; i++) {
        Size at = info && x ? place(i, rank, info, info + rank) : i;
        put(out[i], F()(get(x ? x[at] : out[i])));
    }
}

template <class T, class U, class F>
void binary(Size n, Size rank, const Size *info, const T *x, const T *y, U *out) {
    for (Size i = 0; i < n; i++) {
        Size a = info ? place(i, rank, info, info + rank) : i, b = info ? place(i, rank, info, info + 2 * rank) : i;
        put(out[i], F()(get(x[a]), get(y[b])));
    }
}

template <class T> void affine(Size n, Size rank, const Size *info, const T *x, T *out, T scale, T shift) {
    for (Size i = 0; i < n; i++) {
        Size at = info && x ? place(i, rank, info, info + rank) : i;
        put(out[i], get(x ? x[at] : out[i]) * get(scale) + get(shift));
    }
}

template <class T> void power(Size n, Size rank, const Size *info, T exponent, const T *x, T *out) {
    for (Size i = 0; i < n; i++)
        put(out[i], std::pow(get(x[info ? place(i, rank, info, info + rank) : i]), get(exponent)));
}

template <class T, class U> void cast(Size n, Size rank, const Size *info, const T *x, U *out) {
    for (Size i = 0; i < n; i++) put(out[i], get(x[info ? place(i, rank, info, info + rank) : i]));
}

template <class T> void set(Size n, Size rank, const Size *info, T value, T *out) {
    for (Size i = 0; i < n; i++) out[info ? place(i, rank, info, info + rank) : i] = value;
}

template <class T>
void copy2d(const T *from, T *to, uint32_t rows, uint32_t columns, uint32_t from_stride, uint32_t to_stride) {
    for (uint32_t row = 0; row < rows; row++)
        for (uint32_t column = 0; column < columns; column++)
            to[row * to_stride + column] = from[row * from_stride + column];
}

// Σ, or the largest, of every run of `run` numbers in the order of `info`; `n` numbers in all.
template <class T, bool LARGEST> void reduce(Size n, Size run, Size rank, const Size *info, const T *x, T *out) {
    for (Size group = 0; group < n / run; group++) {
        double total = LARGEST ? -INFINITY : 0.;
        for (Size i = group * run; i < (group + 1) * run; i++) {
            double value = get(x[place(i, rank, info, info + rank)]);
            total = LARGEST ? std::max(total, value) : total + value;
        }
        put(out[group], total);
    }
}

// The same, called with the number of runs instead of the number of numbers.
template <class T> void small_sum(Size groups, Size run, Size rank, const Size *info, const T *x, T *out) {
    reduce<T, false>(groups * run, run, rank, info, x, out);
}

template <class T>
void where(Size n, Size rank, const Size *info, const uint8_t *which, const T *yes, const T *no, T *out) {
    for (Size i = 0; i < n; i++) {
        Size at[3] = {i, i, i};
        for (int k = 0; k < 3 && info; k++) at[k] = place(i, rank, info, info + (k + 1) * rank);
        out[i] = which[at[0]] ? yes[at[1]] : no[at[2]];
    }
}

#define FLOATS(T, S)                                                                                                   \
    CANDLE("ucopy_" S, (candle::unary<T, candle::Copy>))                                                               \
    CANDLE("uneg_" S, (candle::unary<T, candle::Negate>))                                                              \
    CANDLE("uexp_" S, (candle::unary<T, candle::Exp>))                                                                 \
    CANDLE("ulog_" S, (candle::unary<T, candle::Log>))                                                                 \
    CANDLE("usqrt_" S, (candle::unary<T, candle::Sqrt>))                                                               \
    CANDLE("usqr_" S, (candle::unary<T, candle::Square>))                                                              \
    CANDLE("urecip_" S, (candle::unary<T, candle::Reciprocal>))                                                        \
    CANDLE("uabs_" S, (candle::unary<T, candle::Absolute>))                                                            \
    CANDLE("utanh_" S, (candle::unary<T, candle::Tanh>))                                                               \
    CANDLE("urelu_" S, (candle::unary<T, candle::Relu>))                                                               \
    CANDLE("upowf_" S, candle::power<T>)                                                                               \
    CANDLE("badd_" S, (candle::binary<T, T, candle::Add>))                                                             \
    CANDLE("bsub_" S, (candle::binary<T, T, candle::Subtract>))                                                        \
    CANDLE("bmul_" S, (candle::binary<T, T, candle::Multiply>))                                                        \
    CANDLE("bdiv_" S, (candle::binary<T, T, candle::Divide>))                                                          \
    CANDLE("bmaximum_" S, (candle::binary<T, T, candle::Maximum>))                                                     \
    CANDLE("bminimum_" S, (candle::binary<T, T, candle::Minimum>))                                                     \
    CANDLE("eq_" S, (candle::binary<T, uint8_t, candle::Equal>))                                                       \
    CANDLE("ne_" S, (candle::binary<T, uint8_t, candle::NotEqual>))                                                    \
    CANDLE("lt_" S, (candle::binary<T, uint8_t, candle::Less>))                                                        \
    CANDLE("le_" S, (candle::binary<T, uint8_t, candle::LessEqual>))                                                   \
    CANDLE("gt_" S, (candle::binary<T, uint8_t, candle::Greater>))                                                     \
    CANDLE("ge_" S, (candle::binary<T, uint8_t, candle::GreaterEqual>))                                                \
    CANDLE("affine_" S, candle::affine<T>)                                                                             \
    CANDLE("const_set_" S, candle::set<T>)                                                                             \
    CANDLE("copy2d_" S, candle::copy2d<T>)                                                                             \
    CANDLE("fast_sum_" S, (candle::reduce<T, false>))                                                                  \
    CANDLE("fast_sum_small_" S, candle::small_sum<T>)                                                                  \
    CANDLE("fast_max_" S, (candle::reduce<T, true>))                                                                   \
    CANDLE("where_u8_" S, candle::where<T>)                                                                            \
    CANDLE("cast_" S "_f32", (candle::cast<T, float>))                                                                 \
    CANDLE("cast_" S "_bf16", (candle::cast<T, bf16>))                                                                 \
    CANDLE("cast_" S "_f64", (candle::cast<T, double>))                                                                \
    CANDLE("cast_" S "_u8", (candle::cast<T, uint8_t>))                                                                \
    CANDLE("cast_u8_" S, (candle::cast<uint8_t, T>))                                                                   \
    CANDLE("cast_u32_" S, (candle::cast<uint32_t, T>))                                                                 \
    CANDLE("cast_i64_" S, (candle::cast<int64_t, T>))                                                                  \
    CANDLE("cast_f64_" S, (candle::cast<double, T>))

#define CANDLE_KERNELS FLOATS(float, "f32") FLOATS(bf16, "bf16")
} // namespace candle
