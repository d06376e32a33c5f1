#include "shim/fibers.h"

#include <ucontext.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <exception>
#include <memory>
#include <set>
#include <stdexcept>
#include <utility>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

// Saves the registers that a call preserves, changes the stack, restores. ucontext would do, with
// a system call each time.
#if defined(__x86_64__)
extern "C" void shim_switch(void** save, void* load);
asm(R"(
.text
.type shim_switch,@function
shim_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size shim_switch,.-shim_switch
)");
#endif

namespace shim {

Counts counts{};
bool capturing = false;

namespace {

constexpr size_t kStack = size_t{128} << 10;

enum class Waiting { kNo, kBlock, kWarp, kDone };

struct PendingCopy {
  void* to;
  const void* from;
};

void enter();

/// A stack with a suspended call chain.
class Context {
 public:
  /// Begin anew in `enter`.
  void reset() {
    if (!stack_) stack_.reset(new char[kStack]);
#if defined(__SANITIZE_ADDRESS__)
    __asan_unpoison_memory_region(stack_.get(), kStack);  // the last chain never returned
#endif
#if defined(__x86_64__)
    auto top = reinterpret_cast<uintptr_t>(stack_.get() + kStack) & ~uintptr_t{15};
    auto* frame = reinterpret_cast<void**>(top);
    *--frame = nullptr;
    *--frame = reinterpret_cast<void*>(&enter);
    for (int saved = 0; saved < 6; ++saved) *--frame = nullptr;
    pointer_ = frame;
#else
    getcontext(&context_);
    context_.uc_stack = {stack_.get(), 0, kStack};
    makecontext(&context_, &enter, 0);
#endif
  }

  /// Suspend this one, go on in `other`.
  void go(Context& other) {
#if defined(__SANITIZE_ADDRESS__)
    void* fake = nullptr;
    __sanitizer_start_switch_fiber(&fake, other.bottom(), other.size());
#endif
#if defined(__x86_64__)
    shim_switch(&pointer_, other.pointer_);
#else
    swapcontext(&context_, &other.context_);
#endif
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
#endif
  }

#if defined(__SANITIZE_ADDRESS__)
  const void* bottom() const { return stack_ ? stack_.get() : main_bottom; }
  size_t size() const { return stack_ ? kStack : main_size; }
  static const void* main_bottom;
  static size_t main_size;
#endif

 private:
  std::unique_ptr<char[]> stack_;
#if defined(__x86_64__)
  void* pointer_ = nullptr;
#else
  ucontext_t context_;
#endif
};

#if defined(__SANITIZE_ADDRESS__)
const void* Context::main_bottom = nullptr;
size_t Context::main_size = 0;
#endif

struct Fiber {
  Context context;
  Waiting waiting;
  Site site;
  unsigned mask;
  uint64_t word;
  WarpWords words;
  std::deque<std::vector<PendingCopy>> groups;
  std::vector<PendingCopy> open;
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
    fiber.context.reset();
    machine.ready.push_back(i);
  }
  machine.live = machine.threads;
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

void set_seed(uint32_t seed) { machine.seed = seed; }

std::vector<std::string> take_barriers() {
  std::vector<std::string> met(machine.barriers.begin(), machine.barriers.end());
  machine.barriers.clear();
  return met;
}

void drop_barrier(const std::string& site) { machine.dropped = site; }

}  // namespace shim
