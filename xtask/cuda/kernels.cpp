// The kernels of src/ops/cuda/kernels and those of candle that a training step meets, callable by name: what the stand-in
// for the driver (driver.cpp) runs where a GPU would.
#define EMULATED
#include "elementwise.cu"
#undef KERNELS
#include "norm.cu"
#undef KERNELS
#undef SCALAR_KERNELS
#include "pose.cu"
#undef KERNELS
#include "resample.cu"
#undef KERNELS
#include "warp.cu"
#undef KERNELS
#include "conv.cu"
#undef KERNELS
#include "optim.cu"
#include "data.cu"
#include "cast.cu"
#include "candle.h"
#include "emulation.h"

#include <tuple>
#include <utility>

namespace {
template <class... A, size_t... I> void call(void (*kernel)(A...), void **arguments, std::index_sequence<I...>) {
    kernel(*static_cast<std::decay_t<A> *>(arguments[I])...);
}
template <class... A> void call(void (*kernel)(A...), void **arguments) {
    call(kernel, arguments, std::index_sequence_for<A...>());
}
} // namespace

// The build lists every kernel of the PTX modules as OURS(name, ALONE or TOGETHER).
static const emulation::Kernel all[] = {
#define OURS(name, threads) {#name, emulation::threads, [](void **arguments) { call(name, arguments); }},
#include "kernels.list"
#define CANDLE(name, kernel) {name, emulation::WHOLE, [](void **arguments) { call(kernel, arguments); }},
    CANDLE_KERNELS
};

const emulation::Kernel *emulation::find(const char *name) {
    for (const Kernel &kernel : all)
        if (!std::strcmp(kernel.name, name)) return &kernel;
    return nullptr;
}
