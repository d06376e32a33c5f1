#include "milan/pages.h"

#include <sys/mman.h>

#include <cstdint>
#include <new>

namespace milan {

PageArray::PageArray(size_t bytes) {
  constexpr size_t kPage = size_t{2} << 20;
  mapped_bytes_ = (bytes + 2 * kPage - 1) / kPage * kPage;
  mapped_ =
      mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped_ == MAP_FAILED) throw std::bad_alloc();
  const auto address = reinterpret_cast<uintptr_t>(mapped_);
  data_ = reinterpret_cast<void*>((address + kPage - 1) / kPage * kPage);
#if defined(MADV_HUGEPAGE)
  // Advice only: where it is refused, ordinary pages do.
  if (bytes >= kPage) (void)madvise(data_, bytes, MADV_HUGEPAGE);
#endif
}

PageArray::~PageArray() { munmap(mapped_, mapped_bytes_); }

}  // namespace milan
