// A mistake of the caller; becomes milan_core.core.errors.UserError in Python. Other exceptions are
// bugs.
#pragma once

#include <stdexcept>

namespace milan {

class UserError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace milan
