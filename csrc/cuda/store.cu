#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>

#include "cuda/store.h"

namespace milan::cuda {
namespace {

/// Put the blocks of a new piece of memory on the stack; `count_blocks` makes them count.
__global__ void __launch_bounds__(256)
    push_blocks(Pool* pool, Counter first, Counter bytes, int count) {
  const auto i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < count) pool->stack[pool->report.free + i] = first + static_cast<Counter>(i) * bytes;
}

__global__ void count_blocks(Pool* pool, int count) {
  pool->report.free += count;
  pool->report.total += count;
}

/// Copy blocks that lie anywhere side by side; a block of threads each.
__global__ void __launch_bounds__(256)
    gather_blocks(const Counter* __restrict__ blocks, int words, uint32_t* __restrict__ out) {
  const auto* from = reinterpret_cast<const uint32_t*>(blocks[blockIdx.x]);
  uint32_t* to = out + int64_t{blockIdx.x} * words;
  for (int i = static_cast<int>(threadIdx.x); i < words; i += static_cast<int>(blockDim.x)) {
    to[i] = from[i];
  }
}

/// Octaves that a unit of a real network meets before its floor rises: both signs, tiny values.
constexpr int64_t kUsualOctaves = 48;
constexpr int64_t kUsualBytes = int64_t{1} << 30;  // of all blocks at the start
constexpr unsigned kSpills = 1u << 20;
constexpr size_t kGatheredWords = size_t{4} << 20;  // of blocks that come to the host at once

int64_t starting_blocks(const DeviceRules& rules, size_t block_bytes) {
  if (rules.blocks > 0) return rules.blocks;
  const int64_t most = kUsualBytes / static_cast<int64_t>(block_bytes);
  return std::max(rules.units * 8, std::min(rules.units * kUsualOctaves, most));
}

/// Brings blocks to the host one after another, many in each copy.
class BlockReader {
 public:
  BlockReader(std::vector<Counter> blocks, size_t words, cudaStream_t stream)
      : blocks_(std::move(blocks)),
        words_(words),
        chunk_(std::min(blocks_.size(), std::max<size_t>(1, kGatheredWords / words))),
        stream_(stream),
        addresses_(blocks_.size()),
        gathered_(chunk_ * words),
        counts_(chunk_ * words) {
    addresses_.upload(blocks_.data(), blocks_.size(), stream);
  }

  /// Counts of the next block, good until the next call.
  const uint32_t* next() {
    if (at_ % chunk_ == 0) fetch();
    return &counts_[at_++ % chunk_ * words_];
  }

 private:
  void fetch() {
    const size_t number = std::min(chunk_, blocks_.size() - at_);
    launch("gather_blocks", gather_blocks, static_cast<int64_t>(number), 256, 0, stream_,
           addresses_.get() + at_, static_cast<int>(words_), gathered_.get());
    gathered_.download(counts_.data(), number * words_, stream_);
    check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
  }

  std::vector<Counter> blocks_;
  size_t words_, chunk_;
  cudaStream_t stream_;
  DeviceArray<Counter> addresses_;
  DeviceArray<uint32_t> gathered_;
  std::vector<uint32_t> counts_;
  size_t at_ = 0;
};

/// Keys of a unit that K2 keeps sorted; where maxima are held it sorts for nobody, and keeps one.
int64_t sorted_keys(const DeviceRules& rules) { return rules.holds() ? 1 : rules.k; }

}  // namespace

Store::Store(const DeviceRules& rules, cudaStream_t stream)
    : rules_(rules),
      most_blocks_(rules.units * kOctaves),
      rows_(static_cast<size_t>(rules.units) * kOctaves),
      nan_(static_cast<size_t>(rules.units)),
      zeros_(static_cast<size_t>(rules.units)),
      negatives_(static_cast<size_t>(rules.units)),
      stack_(static_cast<size_t>(most_blocks_)),
      keys_(static_cast<size_t>(rules.units * sorted_keys(rules))),
      floors_(static_cast<size_t>(rules.units)),
      maps_(rules.keep_maps ? static_cast<size_t>(rules.units * rules.k * rules.pixels) : 0),
      bases_(static_cast<size_t>(rules.units)),
      slots_(static_cast<size_t>(rules.units * sorted_keys(rules))),
      held_(rules.holds() ? static_cast<size_t>(rules.units * rules.k) : 0),
      held_ids_(rules.holds() ? static_cast<size_t>(rules.k) : 0),
      list_(rules.spills < 0 ? kSpills : static_cast<size_t>(rules.spills)),
      pool_(1) {
  for (auto* counters : {&rows_, &nan_, &zeros_, &negatives_, &keys_}) counters->clear(stream);
  bases_.clear(stream);
  maps_.clear(stream);
  Pool pool{};
  pool.stack = stack_.get();
  pool.list = list_.get();
  pool.list_capacity = static_cast<unsigned>(list_.size());
  pool.slot_mask = (1u << rules.bits) - 1;
  pool_.upload(&pool, 1, stream);
  const std::vector<float> floors(static_cast<size_t>(rules.units), -INFINITY);
  floors_.upload(floors.data(), floors.size(), stream);
  std::vector<int32_t> slots(slots_.size());
  const int64_t k = sorted_keys(rules);
  for (size_t i = 0; i < slots.size(); ++i) {
    slots[i] = static_cast<int32_t>(static_cast<int64_t>(i) % k);
  }
  slots_.upload(slots.data(), slots.size(), stream);
  add_blocks(std::min(starting_blocks(rules, block_words() * sizeof(uint32_t)), most_blocks_),
             stream);
  const auto number = static_cast<int>(blocks_);
  *reported_.get() = {number, number, 0, 0};
  check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
}

size_t Store::block_words() const {
  return size_t{rules_.carry_shift != 0 ? 2u : 1u} << rules_.bits;
}

Sketch Store::sketch() const {
  return {rows_.get(),      floors_.get(), bases_.get(), nan_.get(),        zeros_.get(),
          negatives_.get(), pool_.get(),   rules_.bits,  rules_.carry_shift};
}

Top Store::top() const {
  return {keys_.get(), slots_.get(), maps_.get(), static_cast<int>(sorted_keys(rules_))};
}

Held Store::held() const { return {held_.get(), held_ids_.get(), rules_.k}; }

void Store::add_blocks(int64_t count, cudaStream_t stream) {
  if (count <= 0) return;
  DeviceArray<uint32_t> slab(static_cast<size_t>(count) * block_words());
  slab.clear(stream);
  const auto number = static_cast<int>(count);
  launch("push_blocks", push_blocks, (count + 255) / 256, 256, 0, stream, pool_.get(),
         static_cast<Counter>(reinterpret_cast<uintptr_t>(slab.get())),
         static_cast<Counter>(block_words() * sizeof(uint32_t)), number);
  launch("count_blocks", count_blocks, 1, 1, 0, stream, pool_.get(), number);
  slabs_.push_back(std::move(slab));
  blocks_ += count;
}

void Store::grow_if_needed(cudaStream_t stream) {
  const Report last = report();
  if (last.total != blocks_) return;  // made before the last growth
  if (last.free > blocks_ / 4 || blocks_ >= most_blocks_) return;
  add_blocks(std::min(blocks_, most_blocks_ - blocks_), stream);
}

void Store::ask_report(cudaStream_t stream) {
  check(cudaMemcpyAsync(reported_.get(), &pool_.get()->report, sizeof(Report),
                        cudaMemcpyDeviceToHost, stream),
        "cudaMemcpyAsync");
}

void Store::check_room() const {
  if (report().lost == 0) return;
  throw UserError(
      "the CUDA histogram ran out of blocks and values were not counted; set MILAN_CUDA_BLOCKS "
      "above " +
      std::to_string(blocks_) + " blocks, or use device: cpu");
}

Collected Store::collect(cudaStream_t stream) const {
  const auto units = static_cast<size_t>(rules_.units);
  Collected to;
  Pool pool{};
  pool_.download(&pool, 1, stream);
  std::vector<Counter> rows(rows_.size()), nan(units), zeros(units), negatives(units);
  std::vector<uint32_t> bases(units);
  rows_.download(rows.data(), rows.size(), stream);
  nan_.download(nan.data(), units, stream);
  zeros_.download(zeros.data(), units, stream);
  negatives_.download(negatives.data(), units, stream);
  bases_.download(bases.data(), units, stream);
  check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
  if (pool.lost > 0) {
    throw UserError("the CUDA histogram ran out of blocks and " + std::to_string(pool.lost) +
                    " values were not counted; set MILAN_CUDA_BLOCKS above " +
                    std::to_string(blocks_) + " blocks, or use device: cpu");
  }
  to.images = pool.images;
  to.nan.assign(nan.begin(), nan.end());
  to.zeros.assign(zeros.begin(), zeros.end());
  to.negatives.assign(negatives.begin(), negatives.end());
  rules_.holds() ? collect_held(&to, stream) : collect_sorted(&to, stream);
  collect_cells(rows, bases, pool.spilled, &to, stream);
  return to;
}

void Store::collect_sorted(Collected* to, cudaStream_t stream) const {
  const auto k = static_cast<size_t>(rules_.k);
  std::vector<Counter> keys(keys_.size());
  std::vector<int32_t> slots(slots_.size());
  std::vector<float> maps(maps_.size());
  keys_.download(keys.data(), keys.size(), stream);
  slots_.download(slots.data(), slots.size(), stream);
  maps_.download(maps.data(), maps.size(), stream);
  check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
  to->keys.assign(keys.begin(), keys.end());
  const size_t size = rules_.keep_maps ? static_cast<size_t>(rules_.pixels) : 0;
  to->maps.resize(maps.size());
  for (size_t i = 0; i < slots.size(); ++i) {
    std::copy_n(maps.begin() + (i / k * k + slots[i]) * size, size, to->maps.begin() + i * size);
  }
}

void Store::collect_held(Collected* to, cudaStream_t stream) const {
  const auto k = static_cast<size_t>(rules_.k), number = static_cast<size_t>(to->images);
  std::vector<uint32_t> best(held_.size()), ids(held_ids_.size());
  held_.download(best.data(), best.size(), stream);
  held_ids_.download(ids.data(), ids.size(), stream);
  check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
  to->keys.assign(best.size(), 0);
  for (size_t unit = 0; unit < best.size() / k; ++unit) {
    uint64_t* keys = &to->keys[unit * k];
    for (size_t i = 0; i < number; ++i) {
      const uint32_t code = best[unit * k + i];  // 0: all values are NaN, so no key
      keys[i] = code != 0 ? uint64_t{code} << 32 | static_cast<uint32_t>(~ids[i]) : 0;
    }
    std::sort(keys, keys + number, std::greater<>());
  }
}

void Store::collect_cells(const std::vector<Counter>& rows, const std::vector<uint32_t>& bases,
                          unsigned waiting, Collected* to, cudaStream_t stream) const {
  std::vector<Spilled> spilled(std::min<size_t>(waiting, list_.size()));
  list_.download(spilled.data(), spilled.size(), stream);
  check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
  std::stable_sort(spilled.begin(), spilled.end(),
                   [](const Spilled& a, const Spilled& b) { return a.unit < b.unit; });
  std::vector<Counter> blocks;
  std::copy_if(rows.begin(), rows.end(), std::back_inserter(blocks),
               [](Counter block) { return block != 0; });
  BlockReader reader(std::move(blocks), block_words(), stream);
  auto next = spilled.begin();
  for (int64_t unit = 0; unit < rules_.units; ++unit) {
    const size_t before = to->bins.size();
    for (int octave = 0; octave < kOctaves; ++octave) {
      if (rows[static_cast<size_t>(unit * kOctaves + octave)] == 0) continue;
      add_cells(reader.next(), octave, bases[unit], to);
    }
    for (; next != spilled.end() && next->unit == unit; ++next) {
      if (next->bin < bases[unit]) continue;
      to->bins.push_back(next->bin);
      to->counts.push_back(next->count);
    }
    to->cells.push_back(static_cast<uint32_t>(to->bins.size() - before));
  }
}

void Store::add_cells(const uint32_t* counts, int octave, uint32_t base, Collected* to) const {
  const size_t size = size_t{1} << rules_.bits;
  for (size_t slot = 0; slot < size; ++slot) {
    uint64_t count = counts[slot];
    if (rules_.carry_shift != 0) count += uint64_t{counts[size + slot]} << rules_.carry_shift;
    const auto bin = static_cast<uint32_t>(static_cast<size_t>(octave) << rules_.bits | slot);
    if (count == 0 || bin < base) continue;
    to->bins.push_back(bin);
    to->counts.push_back(count);
  }
}

}  // namespace milan::cuda
