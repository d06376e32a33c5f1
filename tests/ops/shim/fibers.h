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
/// Calls since the start that make the host wait for the device, and that allocate memory.
struct Counts {
  uint64_t waits, allocations, launches;
};
extern Counts counts;
extern bool capturing;

}  // namespace shim
