// A stand-in for libcuda on machines without a GPU: memory is the host's, copies are copies, and launches are counted; with
// CUDA_STAND_IN=compute they are also run on the host (kernels.cpp), slowly. What a program asks for that a GPU would refuse (a kernel
// that is in no module, a launch with too many threads) fails here as well.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <ucontext.h>
#include <vector>

#include "capture.h"
#include "emulation.h"

namespace emulated {
struct Index {
    unsigned x, y, z;
};
Index thread, block, threads, blocks;
float exchange[1024];

namespace {
const size_t STACK = 64 << 10;
std::vector<ucontext_t> contexts;
std::vector<char> stacks;
std::vector<bool> ended;
ucontext_t scheduler;
unsigned current;
const emulation::Kernel *running;
void **arguments;

void body() {
    running->run(arguments);
    ended[current] = true;
    swapcontext(&contexts[current], &scheduler);
}

// All threads of one block, each until it waits or ends, over and over until all have ended.
void run_together(unsigned count) {
    contexts.resize(count);
    stacks.resize(count * STACK);
    ended.assign(count, false);
    for (unsigned i = 0; i < count; i++) {
        getcontext(&contexts[i]);
        contexts[i].uc_stack.ss_sp = &stacks[i * STACK];
        contexts[i].uc_stack.ss_size = STACK;
        contexts[i].uc_link = nullptr;
        makecontext(&contexts[i], body, 0);
    }
    for (unsigned left = count; left > 0;) {
        for (current = 0; current < count; current++) {
            if (ended[current]) continue;
            thread = {current, 0, 0};
            swapcontext(&scheduler, &contexts[current]);
            left -= ended[current];
        }
    }
}
} // namespace

void wait() { swapcontext(&contexts[current], &scheduler); }

void run(const emulation::Kernel *kernel, Index grid, Index block_size, void **given) {
    running = kernel;
    arguments = given;
    blocks = grid;
    threads = block_size;
    if (kernel->threads == emulation::WHOLE) return kernel->run(given);
    for (block.z = 0; block.z < grid.z; block.z++)
        for (block.y = 0; block.y < grid.y; block.y++)
            for (block.x = 0; block.x < grid.x; block.x++) {
                if (kernel->threads == emulation::TOGETHER) {
                    run_together(block_size.x);
                } else {
                    for (thread = {0, 0, 0}; thread.x < block_size.x; thread.x++) kernel->run(given);
                }
            }
}
} // namespace emulated

namespace {
const int INVALID_VALUE = 1, OUT_OF_MEMORY = 2, INVALID_DEVICE = 101, NOT_FOUND = 500, NOT_SUPPORTED = 801;

struct Function {
    std::string name;
    const emulation::Kernel *kernel;
    // Bytes of each parameter.
    std::vector<size_t> parameters;
};

// The sizes of a kernel's parameters, from what stands between its parentheses: `.param .align 8 .b8 name[3480], ...`.
std::vector<size_t> parameters(const char *at) {
    std::vector<size_t> sizes;
    std::string list(at, strcspn(at, ")"));
    for (size_t start = list.find(".param "); start != std::string::npos; start = list.find(".param ", start + 1)) {
        std::string one = list.substr(start, list.find(',', start) - start);
        size_t bits = 0;
        for (const char *type : {"8", "16", "32", "64"})
            for (const char *kind : {".u", ".s", ".b", ".f"})
                if (one.find(kind + std::string(type) + " ") != std::string::npos) bits = atoi(type);
        size_t many = one.find('[');
        sizes.push_back(bits / 8 * (many == std::string::npos ? 1 : atol(&one[many + 1])));
    }
    return sizes;
}

// Arguments of a launch that is recorded.
struct Arguments {
    std::vector<std::vector<char>> bytes;

    Arguments(const Function &function, void **given) {
        for (size_t i = 0; i < function.parameters.size(); i++)
            bytes.emplace_back((char *)given[i], (char *)given[i] + function.parameters[i]);
    }
    std::vector<void *> pointers() {
        std::vector<void *> all;
        for (auto &one : bytes) all.push_back(one.data());
        return all;
    }
};

std::map<std::string, long> counts;
size_t in_use, most_in_use;
bool streams_block;
// Memory released while graphs exist: kept, full of NaN, so that a graph that still works on it shows. Large blocks are
// those in which cuDNN measures, and no graph's.
std::vector<void *> stale;
const size_t LARGE = 256 << 20;

bool computes() {
    static const char *mode = getenv("CUDA_STAND_IN");
    return mode && !strcmp(mode, "compute");
}

void appear(uint64_t address, size_t bytes) {
    if (computes()) memset((void *)address, 0xff, bytes);
    in_use += bytes;
    if (in_use > most_in_use) most_in_use = in_use;
}
void vanish(uint64_t address, size_t bytes) {
    if (computes()) memset((void *)address, 0xff, bytes);
    in_use -= bytes;
}
} // namespace

extern "C" {
// The other libraries count here too.
void stand_in_count(const char *what) {
    if (capture::state.status == capture::NONE) counts[what]++;
}
int stand_in_computes() { return computes(); }
// Runs work of the other libraries on the one stream that they know, or records it; `drop` is called when it is not needed
// any more.
int stand_in_submit(void (*work)(void *), void (*drop)(void *), void *with) {
    std::shared_ptr<void> kept(with, drop);
    return capture::submit((void *)0x20, [=] { work(kept.get()); });
}
int stand_in_refuse(const char *what) { return capture::unsafe_call(what); }

// What was counted since the last call, as lines `name count`, and `peak bytes`; returns the length of the text, of which
// at most `room` bytes are written.
size_t stand_in_take(char *to, size_t room) {
    std::string text;
    for (const auto &count : counts) text += count.first + " " + std::to_string(count.second) + "\n";
    text += "peak " + std::to_string(most_in_use) + "\n";
    counts.clear();
    most_in_use = in_use;
    if (room > 0) {
        size_t length = text.size() < room - 1 ? text.size() : room - 1;
        memcpy(to, text.data(), length);
        to[length] = 0;
    }
    return text.size();
}

int cuInit(unsigned) { return 0; }
int cuCtxSynchronize() { return stand_in_count("synchronize"), capture::unsafe_call("the program waits for the GPU"); }
int cuDevicePrimaryCtxRelease_v2(int) { return 0; }
int cuDriverGetVersion(int *version) { return *version = 13000, 0; }
int cuDeviceGetCount(int *count) { return *count = 1, 0; }
int cuDeviceGet(int *device, int ordinal) { return *device = ordinal, ordinal == 0 ? 0 : INVALID_DEVICE; }
int cuDeviceGetName(char *name, int length, int) { return snprintf(name, length, "stand-in without a GPU"), 0; }
int cuDeviceTotalMem_v2(size_t *bytes, int) { return *bytes = (size_t)64 << 30, 0; }
int cuDeviceGetAttribute(int *value, int attribute, int) {
    const int MULTIPROCESSORS = 16, MAJOR = 75, MINOR = 76;
    *value = attribute == MAJOR ? 9 : attribute == MINOR ? 0 : attribute == MULTIPROCESSORS ? 132 : 1;
    return 0;
}
int cuDevicePrimaryCtxRetain(void **context, int) { return *context = (void *)0x10, 0; }
int cuCtxSetCurrent(void *) { return 0; }
int cuCtxGetCurrent(void **context) { return *context = (void *)0x10, 0; }
int cuStreamCreate(void **stream, unsigned flags) {
    const unsigned NON_BLOCKING = 1;
    streams_block = !(flags & NON_BLOCKING);
    return *stream = (void *)0x20, 0;
}
int cuStreamDestroy_v2(void *) { return 0; }
int cuStreamSynchronize(void *stream) {
    stand_in_count("synchronize");
    return capture::records(stream) ? capture::refuse("the program waits for the stream", capture::UNSUPPORTED) : 0;
}
int cuEventQuery(void *) { return capture::unsafe_call("the program asks for an event"); }
int cuEventSynchronize(void *) { return capture::unsafe_call("the program waits for an event"); }

int cuStreamBeginCapture_v2(void *stream, unsigned mode) {
    stand_in_count("capture");
    return capture::begin(stream, mode, streams_block);
}
int cuStreamEndCapture(void *stream, void **graph) { return capture::end(stream, graph); }
int cuStreamIsCapturing(void *stream, int *status) {
    return *status = capture::records(stream) ? capture::state.status : capture::NONE, 0;
}
int cuGraphInstantiateWithFlags(void **executable, void *graph, unsigned long long flags) {
    const unsigned long long DEVICE_LAUNCH = 4;
    if (flags & DEVICE_LAUNCH) return INVALID_VALUE;
    return *executable = new capture::Executable{*(std::shared_ptr<capture::Graph> *)graph, flags}, 0;
}
int cuGraphLaunch(void *executable, void *stream) {
    stand_in_count("graph");
    return capture::launch((capture::Executable *)executable, stream, vanish);
}
int cuGraphDestroy(void *graph) { return delete (std::shared_ptr<capture::Graph> *)graph, 0; }
int cuGraphExecDestroy(void *executable) {
    delete (capture::Executable *)executable;
    if (!capture::any_graph()) {
        for (void *block : stale) free(block);
        stale.clear();
    }
    return 0;
}
int cuEventCreate(void **event, unsigned) { return stand_in_count("event"), *event = malloc(1), 0; }
int cuEventDestroy_v2(void *event) { return free(event), 0; }

// A block is preceded by its size. Memory is handed out full of NaN where it is computed with, so that reading what was
// never written shows.
int cuMemAllocAsync(uint64_t *address, size_t bytes, void *stream) {
    if (capture::records(stream)) return capture::allocate(address, bytes, appear);
    stand_in_count("allocate");
    const size_t head = 256;
    char *block = (char *)aligned_alloc(head, (bytes + 2 * head - 1) / head * head);
    if (!block) return OUT_OF_MEMORY;
    memcpy(block, &bytes, sizeof bytes);
    appear((uint64_t)(block + head), bytes);
    return *address = (uint64_t)(block + head), 0;
}
int cuMemAlloc_v2(uint64_t *address, size_t bytes) {
    int error = capture::unsafe_call("memory is allocated out of the order of the stream");
    return error ? error : cuMemAllocAsync(address, bytes, nullptr);
}
int cuMemFreeAsync(uint64_t address, void *stream) {
    if (!address) return INVALID_VALUE;
    if (capture::records(stream)) return capture::release(address, vanish);
    if (capture::Block *block = capture::block_of(address)) {
        if (!block->live) return fprintf(stderr, "stand-in: memory of a graph is released twice\n"), INVALID_VALUE;
        block->live = false;
        return vanish(address, block->bytes), 0;
    }
    size_t bytes;
    char *block = (char *)address - 256;
    memcpy(&bytes, block, sizeof bytes);
    vanish(address, bytes);
    if (computes() && bytes < LARGE && capture::any_graph()) return stale.push_back(block), 0;
    return free(block), 0;
}
int cuMemFree_v2(uint64_t address) {
    int error = capture::unsafe_call("memory is released out of the order of the stream");
    return error ? error : cuMemFreeAsync(address, nullptr);
}
int cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t bytes, void *stream) {
    if (capture::records(stream)) return capture::refuse("host memory is copied from", capture::UNSUPPORTED);
    return stand_in_count("to device"), memcpy((void *)to, from, bytes), 0;
}
int cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t bytes, void *stream) {
    if (capture::records(stream)) return capture::refuse("host memory is copied to", capture::UNSUPPORTED);
    stand_in_count("to host");
    // Nothing was computed, so there is nothing to read; a finite number keeps guards against NaN quiet.
    computes() ? memcpy(to, (const void *)from, bytes) : memset(to, 0, bytes);
    return 0;
}
int cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes, void *stream) {
    stand_in_count("on device");
    return capture::submit(stream, [=] {
        if (computes()) memmove((void *)to, (const void *)from, bytes);
    });
}
int cuMemsetD8Async(uint64_t to, unsigned char value, size_t bytes, void *stream) {
    stand_in_count("memset");
    return capture::submit(stream, [=] {
        if (computes()) memset((void *)to, value, bytes);
    });
}
int cuDeviceGetDefaultMemPool(void **pool, int) { return *pool = (void *)0x30, 0; }
int cuMemPoolSetAttribute(void *, int attribute, void *value) {
    const int RELEASE_THRESHOLD = 4;
    if (attribute == RELEASE_THRESHOLD && *(uint64_t *)value == UINT64_MAX) stand_in_count("pool kept");
    return 0;
}

int cuMemPoolTrimTo(void *, size_t) { return capture::unsafe_call("a pool of memory is trimmed"); }

int cuModuleLoadData(void **module, const void *image) {
    int error = capture::unsafe_call("a module is loaded");
    return error ? error : (*module = strdup((const char *)image), 0);
}
int cuModuleUnload(void *) { return 0; }
int cuModuleGetFunction(void **function, void *module, const char *name) {
    static std::map<std::string, Function *> known;
    const char *entry = strstr((const char *)module, (".entry " + std::string(name) + "(").c_str());
    if (!entry) {
        fprintf(stderr, "stand-in: no module has a kernel %s\n", name);
        return NOT_FOUND;
    }
    Function *&found = known[name];
    if (!found) found = new Function{name, emulation::find(name), parameters(entry)};
    return *function = found, 0;
}
int cuLaunchKernel(void *handle, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned,
                   void *stream, void **arguments, void **) {
    const Function *function = (const Function *)handle;
    stand_in_count(("kernel " + function->name).c_str());
    if (!gx || !gy || !gz || !bx || !by || !bz || gy > 65535 || gz > 65535 || bx * by * bz > 1024) {
        fprintf(stderr, "stand-in: %s launched with %u·%u·%u blocks of %u·%u·%u threads\n", function->name.c_str(), gx, gy,
                gz, bx, by, bz);
        return INVALID_VALUE;
    }
    if (!computes()) return capture::submit(stream, [] {});
    if (!function->kernel) {
        fprintf(stderr, "stand-in: %s cannot be run on the host; write it in xtask/cuda/candle.h\n", function->name.c_str());
        return NOT_SUPPORTED;
    }
    if (!capture::records(stream)) {
        emulated::run(function->kernel, {gx, gy, gz}, {bx, by, bz}, arguments);
        return 0;
    }
    auto kept = std::make_shared<Arguments>(*function, arguments);
    return capture::submit(stream, [=] {
        emulated::run(function->kernel, {gx, gy, gz}, {bx, by, bz}, kept->pointers().data());
    });
}
int cuGetErrorName(int error, const char **text) {
    static const std::map<int, const char *> names = {
        {INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE"},
        {OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY"},
        {NOT_FOUND, "CUDA_ERROR_NOT_FOUND"},
        {NOT_SUPPORTED, "CUDA_ERROR_NOT_SUPPORTED"},
        {capture::ILLEGAL_STATE, "CUDA_ERROR_ILLEGAL_STATE"},
        {capture::UNSUPPORTED, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"},
        {capture::INVALIDATED, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED"},
        {capture::IMPLICIT, "CUDA_ERROR_STREAM_CAPTURE_IMPLICIT"},
        {capture::WRONG_THREAD, "CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD"},
    };
    auto known = names.find(error);
    return *text = known == names.end() ? "CUDA_ERROR" : known->second, 0;
}
int cuGetErrorString(int, const char **text) { return *text = "see the message of the stand-in", 0; }
}
