// A call chain on a stack of its own, and how to change from one to another. For fibers.cpp alone.
#pragma once

#include <ucontext.h>

#include <cstddef>
#include <cstdint>
#include <memory>

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

constexpr size_t kStack = size_t{128} << 10;

/// A stack with a suspended call chain.
class Context {
 public:
  /// Begin anew in `enter`, which must never return.
  void reset(void (*enter)()) {
    if (!stack_) stack_.reset(new char[kStack]);
#if defined(__SANITIZE_ADDRESS__)
    __asan_unpoison_memory_region(stack_.get(), kStack);  // the last chain never returned
#endif
#if defined(__x86_64__)
    auto top = reinterpret_cast<uintptr_t>(stack_.get() + kStack) & ~uintptr_t{15};
    auto* frame = reinterpret_cast<void**>(top);
    *--frame = nullptr;
    *--frame = reinterpret_cast<void*>(enter);
    for (int saved = 0; saved < 6; ++saved) *--frame = nullptr;
    pointer_ = frame;
#else
    getcontext(&context_);
    context_.uc_stack = {stack_.get(), 0, kStack};
    makecontext(&context_, enter, 0);
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
  static inline const void* main_bottom = nullptr;
  static inline size_t main_size = 0;
#endif

 private:
  std::unique_ptr<char[]> stack_;
#if defined(__x86_64__)
  void* pointer_ = nullptr;
#else
  ucontext_t context_;
#endif
};

}  // namespace shim
