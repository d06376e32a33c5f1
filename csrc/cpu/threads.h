// Splits a range over a few threads; one thread runs in place.
#pragma once

#include <algorithm>
#include <cstdint>
#include <exception>
#include <thread>
#include <vector>

namespace milan {

/// Calls work(first, last) on parts of [0, count) whose bounds are multiples of `grain`. The first
/// exception of any part is thrown again here.
template <class Work>
void split(int64_t count, int64_t grain, int threads, Work work) {
  const int64_t grains = (count + grain - 1) / grain;
  const int64_t parts = std::max<int64_t>(1, std::min<int64_t>(threads, grains));
  if (parts == 1) {
    if (count > 0) work(int64_t{0}, count);
    return;
  }
  std::vector<std::exception_ptr> errors(static_cast<size_t>(parts));
  const auto run = [&](int64_t part) {
    try {
      work(std::min(count, grains * part / parts * grain),
           std::min(count, grains * (part + 1) / parts * grain));
    } catch (...) {
      errors[static_cast<size_t>(part)] = std::current_exception();
    }
  };
  std::vector<std::thread> helpers;
  for (int64_t part = 1; part < parts; ++part) helpers.emplace_back(run, part);
  run(0);
  for (auto& helper : helpers) helper.join();
  for (const auto& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

}  // namespace milan
