// Stand-ins for cuBLAS, cuRAND and cuDNN: they count calls, and with CUDA_STAND_IN=compute compute what candle and tachie
// ask of them by the definition. Compiled once per library with STAND_IN_<library> defined.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>

extern "C" {
void stand_in_count(const char *what);
int stand_in_computes();
int stand_in_submit(void (*work)(void *), void (*drop)(void *), void *with);
int stand_in_refuse(const char *what);
}

namespace {
struct bf16 {
    uint16_t bits;
};
[[maybe_unused]] float get(const void *from, size_t i, bool half) {
    if (!half) return ((const float *)from)[i];
    uint32_t bits = (uint32_t)((const bf16 *)from)[i].bits << 16;
    float value;
    memcpy(&value, &bits, 4);
    return value;
}
[[maybe_unused]] void put(void *to, size_t i, bool half, float value) {
    if (!half) {
        ((float *)to)[i] = value;
        return;
    }
    uint32_t bits;
    memcpy(&bits, &value, 4);
    ((bf16 *)to)[i].bits = (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

// Runs work now, or when the graph that is being captured is launched.
template <class F> [[maybe_unused]] int submit(F work) {
    auto run = [](void *kept) { (*(F *)kept)(); };
    auto drop = [](void *kept) { delete (F *)kept; };
    return stand_in_submit(run, drop, new F(work));
}
} // namespace

#ifdef STAND_IN_cublas
extern "C" {
int cublasCreate_v2(void **handle) { return *handle = (void *)0x60, 0; }
int cublasDestroy_v2(void *) { return 0; }
int cublasSetStream_v2(void *, void *) { return 0; }
const char *cublasGetStatusName(int) { return "CUBLAS_STATUS"; }
const char *cublasGetStatusString(int) { return "see the message of the stand-in"; }

// C = α·op(A)·op(B) + β·C, column by column, for each matrix of a batch. f32 or bf16 storage.
int cublasGemmStridedBatchedEx(void *, int trans_a, int trans_b, int m, int n, int k, const void *alpha, const void *a,
                               int type_a, int lda, long long stride_a, const void *b, int, int ldb, long long stride_b,
                               const void *beta, void *c, int, int ldc, long long stride_c, int batch, int, int) {
    stand_in_count("cublas gemm");
    const int FLOAT = 0, BFLOAT = 14;
    if (!stand_in_computes()) return 0;
    if (type_a != FLOAT && type_a != BFLOAT) return fprintf(stderr, "stand-in: gemm of type %d\n", type_a), 15;
    bool half = type_a == BFLOAT;
    float scale = *(const float *)alpha, keep = *(const float *)beta;
    const int EXECUTION_FAILED = 13;
    auto multiply = [=] {
        for (int z = 0; z < batch; z++)
            for (int j = 0; j < n; j++)
                for (int i = 0; i < m; i++) {
                    double total = 0;
                    for (int l = 0; l < k; l++)
                        total +=
                            (double)get(a, z * stride_a + (trans_a ? l + (size_t)i * lda : i + (size_t)l * lda), half) *
                            get(b, z * stride_b + (trans_b ? j + (size_t)l * ldb : l + (size_t)j * ldb), half);
                    size_t at = z * stride_c + i + (size_t)j * ldc;
                    put(c, at, half, scale * total + (keep == 0 ? 0 : keep * get(c, at, half)));
                }
    };
    return submit(multiply) ? EXECUTION_FAILED : 0;
}
}
#endif

#ifdef STAND_IN_curand
extern "C" {
int curandCreateGenerator(void **generator, int) { return *generator = (void *)0x70, 0; }
int curandDestroyGenerator(void *) { return 0; }
int curandSetStream(void *, void *) { return 0; }
int curandSetPseudoRandomGeneratorSeed(void *, unsigned long long) { return 0; }
}
#endif

#ifdef STAND_IN_cudnn
namespace {
const int FLOAT = 0, BFLOAT16 = 9, BAD_PARAM = 2000, EXECUTION_FAILED = 5000;

struct Tensor {
    int type, dims[4];
};
struct Convolution {
    int pad[2], stride[2], dilation[2], groups;
};

// Calls f(index into x, into w, into y) for every product of the convolution.
template <class F> void products(const Tensor &x, const Tensor &w, const Tensor &y, const Convolution &c, F f) {
    int outputs = y.dims[1] / c.groups, inputs = x.dims[1] / c.groups;
    for (int n = 0; n < y.dims[0]; n++)
        for (int o = 0; o < y.dims[1]; o++)
            for (int i = 0; i < inputs; i++)
                for (int ky = 0; ky < w.dims[2]; ky++)
                    for (int kx = 0; kx < w.dims[3]; kx++)
                        for (int row = 0; row < y.dims[2]; row++) {
                            int py = row * c.stride[0] + ky * c.dilation[0] - c.pad[0];
                            if (py < 0 || py >= x.dims[2]) continue;
                            for (int column = 0; column < y.dims[3]; column++) {
                                int px = column * c.stride[1] + kx * c.dilation[1] - c.pad[1];
                                if (px < 0 || px >= x.dims[3]) continue;
                                int channel = o / outputs * inputs + i;
                                f(((n * x.dims[1] + channel) * x.dims[2] + py) * x.dims[3] + px,
                                  ((o * inputs + i) * w.dims[2] + ky) * w.dims[3] + kx,
                                  ((n * y.dims[1] + o) * y.dims[2] + row) * y.dims[3] + column);
                            }
                        }
}

// Whether the four descriptors belong together, as cuDNN checks it.
bool fit(const Tensor &x, const Tensor &w, const Tensor &y, const Convolution &c) {
    bool sizes = true;
    for (int axis = 0; axis < 2; axis++) {
        int window = c.dilation[axis] * (w.dims[2 + axis] - 1) + 1;
        sizes &= (x.dims[2 + axis] + 2 * c.pad[axis] - window) / c.stride[axis] + 1 == y.dims[2 + axis];
    }
    return sizes && x.dims[0] == y.dims[0] && x.dims[1] == w.dims[1] * c.groups && w.dims[0] == y.dims[1] &&
           w.dims[0] % c.groups == 0 && x.type == w.type && x.type == y.type && (x.type == FLOAT || x.type == BFLOAT16);
}

// out = Σ over the products that `index` sends there; `out` has the descriptor `of`.
template <class F, class G>
int convolve(const char *what, const Tensor *x, const Tensor *w, const Tensor *y, const Convolution *c, const Tensor *of,
             void *out, F value, G index) {
    stand_in_count(what);
    if (!fit(*x, *w, *y, *c)) return fprintf(stderr, "stand-in: %s: descriptors do not fit\n", what), BAD_PARAM;
    if (!stand_in_computes()) return 0;
    // Copies, since descriptors may be gone when a graph is launched.
    auto sum = [out, value, index, x = *x, w = *w, y = *y, c = *c, of = *of] {
        size_t count = (size_t)of.dims[0] * of.dims[1] * of.dims[2] * of.dims[3];
        double *totals = new double[count]();
        products(x, w, y, c, [&](size_t i, size_t j, size_t k) { totals[index(i, j, k)] += value(i, j, k); });
        for (size_t i = 0; i < count; i++) put(out, i, of.type == BFLOAT16, totals[i]);
        delete[] totals;
    };
    return submit(sum) ? EXECUTION_FAILED : 0;
}

// The results of a search among algorithms: one, the first, which wants a workspace.
struct Found {
    int algorithm, status;
    float time;
    size_t memory;
    int determinism, math, reserved[3];
};
const size_t WORKSPACE = 4096;

int search(const char *what, int *count, Found *found) {
    stand_in_count(what);
    *count = 1;
    *found = Found{0, 0, 0.1f, WORKSPACE, 1, 0, {}};
    return 0;
}

// Measuring waits for the GPU.
int measure(int *count, Found *found) {
    return stand_in_refuse("cuDNN measures") ? EXECUTION_FAILED : search("cudnn search", count, found);
}
} // namespace

extern "C" {
size_t cudnnGetVersion() { return 91900; }
size_t cudnnGetCudartVersion() { return 13000; }
int cudnnCreate(void **handle) { return *handle = (void *)0x40, 0; }
int cudnnDestroy(void *) { return 0; }
int cudnnSetStream(void *, void *) { return 0; }
int cudnnSetConvolutionMathType(Convolution *, int) { return 0; }
const char *cudnnGetErrorString(int) { return "see the message of the stand-in"; }
int cudnnCreateTensorDescriptor(Tensor **d) { return stand_in_count("cudnn descriptor"), *d = new Tensor(), 0; }
int cudnnCreateFilterDescriptor(Tensor **d) { return stand_in_count("cudnn descriptor"), *d = new Tensor(), 0; }
int cudnnCreateConvolutionDescriptor(Convolution **d) {
    return stand_in_count("cudnn descriptor"), *d = new Convolution{{}, {}, {}, 1}, 0;
}
int cudnnDestroyTensorDescriptor(Tensor *d) { return delete d, 0; }
int cudnnDestroyFilterDescriptor(Tensor *d) { return delete d, 0; }
int cudnnDestroyConvolutionDescriptor(Convolution *d) { return delete d, 0; }
int cudnnSetTensor4dDescriptor(Tensor *d, int, int type, int n, int c, int h, int w) {
    return *d = Tensor{type, {n, c, h, w}}, 0;
}
int cudnnSetFilter4dDescriptor(Tensor *d, int type, int, int o, int i, int h, int w) {
    return *d = Tensor{type, {o, i, h, w}}, 0;
}
int cudnnSetConvolution2dDescriptor(Convolution *d, int py, int px, int sy, int sx, int dy, int dx, int, int) {
    return *d = Convolution{{py, px}, {sy, sx}, {dy, dx}, d->groups}, 0;
}
int cudnnSetConvolutionGroupCount(Convolution *d, int groups) { return d->groups = groups, 0; }
int cudnnGetConvolutionForwardAlgorithm_v7(void *, void *, void *, void *, void *, int, int *count, Found *found) {
    return search("cudnn choose", count, found);
}
int cudnnGetConvolutionBackwardDataAlgorithm_v7(void *, void *, void *, void *, void *, int, int *count, Found *found) {
    return search("cudnn choose", count, found);
}
int cudnnGetConvolutionBackwardFilterAlgorithm_v7(void *, void *, void *, void *, void *, int, int *count, Found *found) {
    return search("cudnn choose", count, found);
}
int cudnnFindConvolutionForwardAlgorithmEx(void *, void *, void *, void *, void *, void *, void *, void *, int, int *count,
                                           Found *found, void *, size_t) {
    return measure(count, found);
}
int cudnnFindConvolutionBackwardDataAlgorithmEx(void *, void *, void *, void *, void *, void *, void *, void *, int,
                                                int *count, Found *found, void *, size_t) {
    return measure(count, found);
}
int cudnnFindConvolutionBackwardFilterAlgorithmEx(void *, void *, void *, void *, void *, void *, void *, void *, int,
                                                  int *count, Found *found, void *, size_t) {
    return measure(count, found);
}
int cudnnConvolutionForward(void *, const void *, const Tensor *xd, const void *x, const Tensor *wd, const void *w,
                            const Convolution *c, int, void *space, size_t bytes, const void *, const Tensor *yd, void *y) {
    bool half = xd->type == BFLOAT16;
    if (!space || bytes < WORKSPACE) return BAD_PARAM;
    return convolve("cudnn forward", xd, wd, yd, c, yd, y,
                    [=](size_t i, size_t j, size_t) { return (double)get(x, i, half) * get(w, j, half); },
                    [](size_t, size_t, size_t k) { return k; });
}
int cudnnConvolutionBackwardData(void *, const void *, const Tensor *wd, const void *w, const Tensor *yd, const void *y,
                                 const Convolution *c, int, void *space, size_t bytes, const void *, const Tensor *xd,
                                 void *x) {
    bool half = xd->type == BFLOAT16;
    if (!space || bytes < WORKSPACE) return BAD_PARAM;
    return convolve("cudnn data gradient", xd, wd, yd, c, xd, x,
                    [=](size_t, size_t j, size_t k) { return (double)get(w, j, half) * get(y, k, half); },
                    [](size_t i, size_t, size_t) { return i; });
}
int cudnnConvolutionBackwardFilter(void *, const void *, const Tensor *xd, const void *x, const Tensor *yd, const void *y,
                                   const Convolution *c, int, void *space, size_t bytes, const void *, const Tensor *wd,
                                   void *w) {
    bool half = xd->type == BFLOAT16;
    if (!space || bytes < WORKSPACE) return BAD_PARAM;
    return convolve("cudnn weight gradient", xd, wd, yd, c, wd, w,
                    [=](size_t i, size_t, size_t k) { return (double)get(x, i, half) * get(y, k, half); },
                    [](size_t, size_t j, size_t) { return j; });
}
}
#endif
