// Between the stand-in for the driver and the kernels it can run.
#pragma once

namespace emulation {
// How a kernel is run: once for the whole grid, thread by thread, or with threads that wait for each other.
enum Threads { WHOLE, ALONE, TOGETHER };

struct Kernel {
    const char *name;
    Threads threads;
    void (*run)(void **arguments);
};
// The kernel of that name, or null.
const Kernel *find(const char *name);
} // namespace emulation
