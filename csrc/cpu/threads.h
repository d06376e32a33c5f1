// Splits a range over a few threads; one thread runs in place.
//
// Threads live for one call: a worker that survives calls would be lost in a forked process, and
// starting one costs some 20 us where a call lasts milliseconds.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <system_error>
#include <thread>
#include <vector>

namespace milan {

/// Calls work(first, last) on parts of [0, count) whose bounds are multiples of `grain`: `pieces`
/// for each thread, taken in turn, so that a thread that other work holds up leaves its share to
/// the others. The first exception of any thread is thrown again here.
template <class Work>
void split(int64_t count, int64_t grain, int threads, Work work, int64_t pieces = 1) {
  const int64_t grains = (count + grain - 1) / grain;
  const int64_t workers = std::max<int64_t>(1, std::min<int64_t>(threads, grains));
  if (workers == 1) {
    if (count > 0) work(int64_t{0}, count);
    return;
  }
  const int64_t parts = std::min(grains, workers * pieces);
  std::vector<std::exception_ptr> errors(static_cast<size_t>(workers));
  std::atomic<int64_t> next{0};
  const auto run = [&](int64_t worker) {
    try {
      for (int64_t part = next++; part < parts; part = next++) {
        work(std::min(count, grains * part / parts * grain),
             std::min(count, grains * (part + 1) / parts * grain));
      }
    } catch (...) {
      errors[static_cast<size_t>(worker)] = std::current_exception();
      next = parts;  // the others need not go on
    }
  };
  std::vector<std::thread> helpers;
  try {
    for (int64_t worker = 1; worker < workers; ++worker) helpers.emplace_back(run, worker);
  } catch (const std::system_error&) {
    // No more threads are to be had: those that there are take all parts.
  }
  run(0);
  for (auto& helper : helpers) helper.join();
  for (const auto& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

}  // namespace milan
