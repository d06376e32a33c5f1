// Zeroed memory, in huge pages where the system has them and the size deserves them.
#pragma once

#include <cstddef>

namespace milan {

class PageArray {
 public:
  explicit PageArray(size_t bytes);
  ~PageArray();
  PageArray(const PageArray&) = delete;
  PageArray& operator=(const PageArray&) = delete;

  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  void* data_;
  void* mapped_;
  size_t mapped_bytes_;
};

}  // namespace milan
