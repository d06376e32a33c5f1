// While it lives, denormals are numbers: callers may have switched them off for speed.
#pragma once

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace milan {

class FloatEnvironment {
 public:
#if defined(__SSE2__)
  FloatEnvironment() : saved_(_mm_getcsr()) { _mm_setcsr(0x1F80); }
  ~FloatEnvironment() { _mm_setcsr(saved_); }

 private:
  unsigned saved_;
#else
  FloatEnvironment() {}
  ~FloatEnvironment() {}
#endif
};

}  // namespace milan
