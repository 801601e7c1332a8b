// Stream capture and graphs of the stand-in for the driver. Work that is submitted to a capturing stream is recorded, not
// run; launching the graph runs it with the arguments of the recording. Memory that is allocated while capturing belongs
// to the graph: it exists from its allocation to its release in each launch, at the same address every time.
//
// What a driver refuses in a capture is refused with its error, and ends the capture. Where the driver would silently record
// something that cannot work here (copies from and to host memory, whose addresses are stale at the launch), this one
// refuses as well.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <thread>
#include <vector>

namespace capture {
const int SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, ILLEGAL_STATE = 401, UNSUPPORTED = 900, INVALIDATED = 901,
          IMPLICIT = 906, WRONG_THREAD = 908;
const unsigned GLOBAL = 0, THREAD_LOCAL = 1, RELAXED = 2;
const unsigned long long AUTO_FREE = 1;

// Memory of a graph.
struct Block {
    size_t bytes;
    bool live;
};

struct Graph {
    std::vector<std::function<void()>> nodes;
    std::map<uint64_t, Block> blocks;
    // Released in the recording: a later allocation of the same size gets the address again.
    std::multimap<size_t, uint64_t> released;
    size_t allocations = 0;

    ~Graph() {
        for (auto &block : blocks) free((void *)block.first);
    }
};

// A graph that can be launched.
struct Executable {
    std::shared_ptr<Graph> graph;
    unsigned long long flags;
};

enum Status { NONE, ACTIVE, BROKEN };

struct State {
    Status status = NONE;
    unsigned mode = 0;
    bool blocking = false;
    void *stream = nullptr;
    std::thread::id thread;
    std::shared_ptr<Graph> graph;
    // Blocks of all graphs that can be launched, to know the memory that programs release.
    std::vector<std::weak_ptr<Graph>> known;
};
inline State state;

inline bool records(void *stream) { return state.status != NONE && stream == state.stream; }

inline int refuse(const char *what, int error) {
    fprintf(stderr, "stand-in: %s while a stream is being captured\n", what);
    state.status = BROKEN;
    return error;
}

// For calls that a driver does not allow while anybody captures: they wait for the GPU or allocate out of order.
inline int unsafe_call(const char *what) {
    if (state.status == NONE || state.mode == RELAXED) return SUCCESS;
    if (state.mode == THREAD_LOCAL && std::this_thread::get_id() != state.thread) return SUCCESS;
    return refuse(what, UNSUPPORTED);
}

// Runs work of a stream, or records it.
template <class F> int submit(void *stream, F work) {
    if (state.status != NONE && !stream && state.blocking) return refuse("work on the legacy stream", IMPLICIT);
    if (!records(stream)) return work(), SUCCESS;
    if (state.status == BROKEN) return INVALIDATED;
    state.graph->nodes.push_back(work);
    return SUCCESS;
}

// The block of a graph at this address, or null.
inline Block *block_of(uint64_t address) {
    auto in = [&](Graph &graph) -> Block * {
        auto found = graph.blocks.find(address);
        return found == graph.blocks.end() ? nullptr : &found->second;
    };
    if (state.graph)
        if (Block *found = in(*state.graph)) return found;
    for (auto &known : state.known)
        if (auto graph = known.lock())
            if (Block *found = in(*graph)) return found;
    return nullptr;
}

inline bool any_graph() {
    if (state.graph) return true;
    for (auto &known : state.known)
        if (!known.expired()) return true;
    return false;
}

// `appear` and `vanish` are told the block and its size when a launch comes to its allocation and its release.
template <class Appear> int allocate(uint64_t *address, size_t bytes, Appear appear) {
    if (state.status == BROKEN) return INVALIDATED;
    Graph *graph = state.graph.get();
    auto again = graph->released.find(bytes);
    if (again != graph->released.end()) {
        *address = again->second;
        graph->released.erase(again);
    } else {
        void *memory = aligned_alloc(256, (bytes + 511) / 256 * 256);
        if (!memory) return OUT_OF_MEMORY;
        *address = (uint64_t)memory;
        graph->blocks[*address] = Block{bytes, false};
    }
    uint64_t at = *address;
    graph->allocations++;
    graph->nodes.push_back([=] {
        graph->blocks[at].live = true;
        appear(at, bytes);
    });
    return SUCCESS;
}

// Releases memory while capturing: it has to be of this capture.
template <class Vanish> int release(uint64_t address, Vanish vanish) {
    if (state.status == BROKEN) return INVALIDATED;
    Graph *graph = state.graph.get();
    auto block = graph->blocks.find(address);
    if (block == graph->blocks.end()) return refuse("memory from before the capture is released", INVALID_VALUE);
    size_t bytes = block->second.bytes;
    graph->released.emplace(bytes, address);
    graph->allocations--;
    graph->nodes.push_back([=] {
        graph->blocks[address].live = false;
        vanish(address, bytes);
    });
    return SUCCESS;
}

inline int begin(void *stream, unsigned mode, bool blocking) {
    if (state.status != NONE) return ILLEGAL_STATE;
    if (!stream) return UNSUPPORTED;
    state.status = ACTIVE;
    state.mode = mode;
    state.blocking = blocking;
    state.stream = stream;
    state.thread = std::this_thread::get_id();
    state.graph = std::make_shared<Graph>();
    return SUCCESS;
}

inline int end(void *stream, void **graph) {
    if (!records(stream)) return ILLEGAL_STATE;
    if (state.mode != RELAXED && std::this_thread::get_id() != state.thread) return WRONG_THREAD;
    bool whole = state.status == ACTIVE;
    *graph = whole ? new std::shared_ptr<Graph>(state.graph) : nullptr;
    if (whole) state.known.push_back(state.graph);
    state.status = NONE;
    state.graph = nullptr;
    return whole ? SUCCESS : INVALIDATED;
}

template <class Vanish> int launch(Executable *executable, void *stream, Vanish vanish) {
    if (state.status != NONE) return refuse("a graph is launched", UNSUPPORTED);
    if (!stream) return INVALID_VALUE;
    Graph &graph = *executable->graph;
    for (auto &block : graph.blocks) {
        if (!block.second.live) continue;
        if (!(executable->flags & AUTO_FREE)) {
            fprintf(stderr, "stand-in: a graph is launched whose memory of the last launch was not released\n");
            return INVALID_VALUE;
        }
        block.second.live = false;
        vanish(block.first, block.second.bytes);
    }
    for (auto &node : graph.nodes) node();
    return SUCCESS;
}
} // namespace capture
