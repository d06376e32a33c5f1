#include "shim/fibers.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <utility>

#include "shim/context.h"

namespace shim {

Counts counts{};
World world;

namespace {

enum class Waiting { kNo, kBlock, kWarp, kDone };

struct PendingCopy {
  void* to;
  const void* from;
};

struct Fiber {
  Context context;
  Waiting waiting;
  Site site;
  unsigned mask;
  uint64_t word;
  WarpWords words;
  std::deque<std::vector<PendingCopy>> groups;
  std::vector<PendingCopy> open;
  unsigned warp_barriers;  // passed
};

struct PlainWrite {
  unsigned thread, warp_barriers;
};

struct HostCopy {
  void* to;
  std::vector<char> bytes;
};

struct Freed {
  char* memory;
  size_t bytes;
};

struct Machine {
  Context scheduler;
  std::deque<Fiber> fibers;
  std::deque<unsigned> ready;
  unsigned current = 0, block = 0, blocks = 0, threads = 0, live = 0;
  const std::function<void()>* body = nullptr;
  std::unique_ptr<char[]> shared;
  size_t shared_bytes = 0;
  std::exception_ptr error;
  uint32_t seed = 1, random = 1;
  std::set<std::string> barriers;
  std::string dropped;
  std::map<const void*, PlainWrite> written;  // by the block
  std::deque<HostCopy> host_copies;
  std::set<const void*> loaded;
  std::vector<std::function<void()>> graph;
  std::vector<Freed> freed;
};

Machine machine;

uint32_t draw() {
  machine.random ^= machine.random << 13;
  machine.random ^= machine.random >> 17;
  return machine.random ^= machine.random << 5;
}

std::string name(Site site) {
  const char* slash = std::strrchr(site.file, '/');
  return std::string(slash ? slash + 1 : site.file) + ":" + std::to_string(site.line);
}

void enter() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &Context::main_bottom, &Context::main_size);
#endif
  Fiber& self = machine.fibers[machine.current];
  try {
    (*machine.body)();
  } catch (...) {
    machine.error = std::current_exception();
  }
  self.waiting = Waiting::kDone;
  self.context.go(machine.scheduler);
}

void wait(Waiting kind, Site site) {
  Fiber& self = machine.fibers[machine.current];
  self.waiting = kind;
  self.site = site;
  self.context.go(machine.scheduler);
}

[[noreturn]] void fail(const std::string& what) { throw std::logic_error("shim: " + what); }

/// All lanes of the mask are there: give everyone the words.
void meet(unsigned thread) {
  const unsigned mask = machine.fibers[thread].mask, warp = thread / 32 * 32;
  WarpWords words{};
  for (unsigned lane = 0; lane < 32; ++lane) {
    if (!(mask >> lane & 1)) continue;
    const Fiber& other = machine.fibers[warp + lane];
    if (other.waiting == Waiting::kDone)
      fail("a lane left before " + name(machine.fibers[thread].site));
    if (other.waiting != Waiting::kWarp) return;
    if (other.mask != mask || other.site.line != machine.fibers[thread].site.line) {
      fail("lanes of a warp meet at " + name(other.site) + " and " +
           name(machine.fibers[thread].site));
    }
    words[lane] = other.word;
  }
  for (unsigned lane = 0; lane < 32; ++lane) {
    if (!(mask >> lane & 1)) continue;
    machine.fibers[warp + lane].words = words;
    machine.fibers[warp + lane].waiting = Waiting::kNo;
    machine.ready.push_back(warp + lane);
  }
}

/// Every thread that is still running waits at the barrier: let them go on.
void release_barrier() {
  unsigned there = 0;
  const Fiber* first = nullptr;
  for (unsigned i = 0; i < machine.threads; ++i) {
    const Fiber& fiber = machine.fibers[i];
    if (fiber.waiting != Waiting::kBlock) continue;
    if (first != nullptr && fiber.site.line != first->site.line) {
      fail("threads of a block wait at " + name(first->site) + " and " + name(fiber.site));
    }
    first = &fiber;
    ++there;
  }
  if (there == 0 || there < machine.live) return;
  for (unsigned i = 0; i < machine.threads; ++i) {
    if (machine.fibers[i].waiting != Waiting::kBlock) continue;
    machine.fibers[i].waiting = Waiting::kNo;
    machine.ready.push_back(i);
  }
}

void step(unsigned thread) {
  machine.current = thread;
  machine.scheduler.go(machine.fibers[thread].context);
  if (machine.error) std::rethrow_exception(std::exchange(machine.error, nullptr));
  switch (machine.fibers[thread].waiting) {
    case Waiting::kNo:
      machine.ready.push_back(thread);
      break;
    case Waiting::kWarp:
      meet(thread);
      break;
    case Waiting::kBlock:
      break;
    case Waiting::kDone:
      --machine.live;
      break;
  }
}

void run_block() {
  machine.ready.clear();
  for (unsigned i = 0; i < machine.threads; ++i) {
    Fiber& fiber = machine.fibers[i];
    fiber.waiting = Waiting::kNo;
    fiber.groups.clear();
    fiber.open.clear();
    fiber.warp_barriers = 0;
    fiber.context.reset(&enter);
    machine.ready.push_back(i);
  }
  machine.live = machine.threads;
  machine.written.clear();
  while (machine.live > 0) {
    if (machine.ready.empty()) release_barrier();
    if (machine.ready.empty()) fail("deadlock: threads wait for others that never come");
    if (machine.seed != 0) {
      std::swap(machine.ready.front(), machine.ready[draw() % machine.ready.size()]);
    }
    const unsigned thread = machine.ready.front();
    machine.ready.pop_front();
    step(thread);
  }
}

}  // namespace

unsigned thread_index() { return machine.current; }
unsigned block_index() { return machine.block; }
unsigned block_size() { return machine.threads; }
unsigned grid_size() { return machine.blocks; }

void block_barrier(Site site) {
  machine.barriers.insert(name(site));
  if (machine.dropped == name(site)) return;
  wait(Waiting::kBlock, site);
}

void warp_barrier(Site site) {
  machine.barriers.insert(name(site));
  if (machine.dropped == name(site)) return;
  (void)exchange(0xFFFFFFFFu, 0, site);
  ++machine.fibers[machine.current].warp_barriers;
}

WarpWords exchange(unsigned mask, uint64_t word, Site site) {
  Fiber& self = machine.fibers[machine.current];
  if (!(mask >> lane() & 1)) fail("a lane calls " + name(site) + " with a mask without it");
  self.mask = mask;
  self.word = word;
  wait(Waiting::kWarp, site);
  return self.words;
}

void yield() { wait(Waiting::kNo, {"", 0}); }

void maybe_yield() {
  if (machine.seed != 0 && draw() % 16 == 0) yield();
}

void* shared_memory() { return machine.shared.get(); }

void copy_async(void* to, const void* from) {
  require_aligned(to, 16);
  require_aligned(from, 16);
  // At once or as late as allowed: both can happen.
  if (machine.seed != 0 && draw() % 2 == 0) {
    std::memcpy(to, from, 16);
  } else {
    machine.fibers[machine.current].open.push_back({to, from});
  }
}

void commit_copies() {
  Fiber& self = machine.fibers[machine.current];
  self.groups.push_back(std::move(self.open));
  self.open.clear();
}

void wait_for_copies(int pending) {
  auto& groups = machine.fibers[machine.current].groups;
  while (groups.size() > static_cast<size_t>(pending)) {
    for (const PendingCopy& copy : groups.front()) std::memcpy(copy.to, copy.from, 16);
    groups.pop_front();
  }
}

void require_aligned(const void* p, size_t bytes) {
  if (reinterpret_cast<uintptr_t>(p) % bytes != 0) fail("misaligned address");
}

void run(unsigned blocks, unsigned threads, size_t shared_bytes,
         const std::function<void()>& body) {
  if (threads % 32 != 0 && threads != 1) fail("blocks must hold whole warps");
  while (machine.fibers.size() < threads) machine.fibers.emplace_back();
  machine.body = &body;
  machine.blocks = blocks;
  machine.threads = threads;
  machine.random = machine.seed * 2654435761u | 1u;
  std::vector<unsigned> order(blocks);
  for (unsigned i = 0; i < blocks; ++i) order[i] = i;
  if (machine.seed != 0) {
    for (unsigned i = blocks; i-- > 1;) std::swap(order[i], order[draw() % (i + 1)]);
  }
  for (const unsigned block : order) {
    machine.block = block;
    machine.shared.reset(new char[shared_bytes]);  // exactly: sanitizers see the byte beyond
    std::memset(machine.shared.get(), 0xCB, shared_bytes);
    run_block();
  }
}

void load_kernel(const void* kernel) { machine.loaded.insert(kernel); }
bool is_loaded(const void* kernel) { return machine.loaded.count(kernel) != 0; }
void forget_kernels() { machine.loaded.clear(); }

void capture(std::function<void()> work) { machine.graph.push_back(std::move(work)); }

void replay() {
  for (const auto& work : machine.graph) work();
  for (const Freed& freed : machine.freed) {
    if (std::any_of(freed.memory, freed.memory + freed.bytes, [](char c) { return c != 0; })) {
      fail("a graph wrote to memory that had been freed");
    }
  }
}

void release(void* memory, size_t bytes) {
  if (machine.graph.empty()) {
    std::free(memory);
    return;
  }
  std::memset(memory, 0, bytes);
  machine.freed.push_back({static_cast<char*>(memory), bytes});
}

void forget_graph() {
  machine.graph.clear();
  for (const Freed& freed : machine.freed) std::free(freed.memory);
  machine.freed.clear();
}

void copy_to_host(void* to, const void* from, size_t bytes) {
  const auto* first = static_cast<const char*>(from);
  machine.host_copies.push_back({to, {first, first + bytes}});
  while (machine.host_copies.size() > world.late_copies) {
    const HostCopy& copy = machine.host_copies.front();
    std::memcpy(copy.to, copy.bytes.data(), copy.bytes.size());
    machine.host_copies.pop_front();
  }
}

void deliver_copies() {
  for (const HostCopy& copy : machine.host_copies) {
    std::memcpy(copy.to, copy.bytes.data(), copy.bytes.size());
  }
  machine.host_copies.clear();
}

void note_write(const void* p) {
  machine.written[p] = {machine.current, machine.fibers[machine.current].warp_barriers};
}

void note_read(const void* p) {
  const auto found = machine.written.find(p);
  if (found == machine.written.end()) return;
  const PlainWrite& write = found->second;
  if (write.thread == machine.current || write.thread / 32 != machine.current / 32) return;
  if (machine.fibers[machine.current].warp_barriers <= write.warp_barriers) {
    fail("a lane reads what another has written, without __syncwarp between");
  }
}

void set_seed(uint32_t seed) { machine.seed = seed; }

std::vector<std::string> take_barriers() {
  std::vector<std::string> met(machine.barriers.begin(), machine.barriers.end());
  machine.barriers.clear();
  return met;
}

void drop_barrier(const std::string& site) { machine.dropped = site; }

}  // namespace shim
