// The scheduler behind the host version of the kernels; cuda_runtime.h says what it models.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace shim {

/// A call of a meeting point, by its place in the source.
struct Site {
  const char* file;
  int line;
};

using WarpWords = std::array<uint64_t, 32>;

// ---- where the running fibre is
unsigned thread_index();
unsigned block_index();
unsigned block_size();
unsigned grid_size();
inline int lane() { return static_cast<int>(thread_index() % 32); }

// ---- meeting points
void block_barrier(Site site);
void warp_barrier(Site site);
/// Give a word, wait for the lanes of `mask`, get the words of all of them.
WarpWords exchange(unsigned mask, uint64_t word, Site site);
/// Let another fibre run.
void yield();
/// The same, now and then.
void maybe_yield();

// ---- memory
void* shared_memory();
void copy_async(void* to, const void* from);
void commit_copies();
void wait_for_copies(int pending);
void require_aligned(const void* p, size_t bytes);

/// Run a kernel: every thread of every block calls `body`.
void run(unsigned blocks, unsigned threads, size_t shared_bytes, const std::function<void()>& body);

// ---- for tests
/// Order of the fibres; 0 is first come, first served.
void set_seed(uint32_t seed);
/// Barriers met since the last call, as "file:line".
std::vector<std::string> take_barriers();
/// Pretend that this barrier is not there; "" for none.
void drop_barrier(const std::string& site);
/// Calls since the start that make the host wait for the device, that allocate memory, that start
/// kernels, and that make a device current.
struct Counts {
  uint64_t waits, allocations, launches, device_changes;
};
extern Counts counts;

/// What tests set. Two devices; capturing a stream; the compute capability; how many of the next
/// allocations fail; by how many copies those to the host lag behind, until someone waits.
struct World {
  int current_device = 0, capability = 9, failing_allocations = 0;
  bool capturing = false;
  size_t late_copies = 0;
};
extern World world;
constexpr int kDevices = 2;

// ---- kernels are loaded by their first launch, or before it; not while a stream is captured
void load_kernel(const void* kernel);
bool is_loaded(const void* kernel);
void forget_kernels();

// ---- graphs: what ran while a stream was captured, to be run again
void capture(std::function<void()> work);
/// Run it all again, and check that it wrote to no memory that had been freed.
void replay();
/// Freed memory holds zeros once something was captured, and is given to nobody.
void release(void* memory, size_t bytes);
void forget_graph();

// ---- copies to the host
void copy_to_host(void* to, const void* from, size_t bytes);
void deliver_copies();

// ---- plain accesses, checked for a warp barrier between the write of a lane and another's read
void note_write(const void* p);
void note_read(const void* p);

}  // namespace shim
