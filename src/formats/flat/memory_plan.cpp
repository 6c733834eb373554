#include "formats/flat/memory_plan.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

#include "formats/flat/graph_section.h"

namespace edgec::flat {
namespace {

static_assert(sizeof(Placement) == 32);

constexpr std::uint64_t align_up(std::uint64_t size) { return (size + alignment - 1) / alignment * alignment; }

/// Bytes of a value that lives in the arena; nothing for constants and values of unknown size.
std::optional<std::uint64_t> arena_size(const Value &value) {
  const auto dims = value.type.concrete();
  if (value.data || !dims || bits(value.type.dtype) == 0) return std::nullopt;
  const auto count = element_count(*dims);
  if (!count || *count > (std::int64_t{1} << 50)) return std::nullopt;
  return byte_size(value.type.dtype, *count);
}

bool together(const Placement &a, const Placement &b) { return a.first <= b.last && b.first <= a.last; }

/// Values with size and lifetime, offsets still zero.
std::vector<Placement> lifetimes(const Graph &graph) {
  std::vector<std::uint32_t> step(graph.node_bound());
  std::uint32_t steps = 0;
  for (const NodeId id : graph.nodes()) step[id.index] = steps++;
  const std::uint32_t end = std::max(steps, 1U) - 1;
  std::vector<Placement> found;
  std::uint32_t number = 0;
  for (const ValueId id : file_order(graph)) {
    const Value &value = graph.value(id);
    Placement place{number++};
    const auto size = arena_size(value);
    if (!size) continue;
    place.size = *size;
    place.first = value.producer.valid() ? step[value.producer.index] : 0;
    place.last = graph.is_output(id) ? end : place.first;
    for (const Use &use : value.uses) place.last = std::max(place.last, step[use.node.index]);
    found.push_back(place);
  }
  return found;
}

} // namespace

MemoryPlan plan_memory(const Graph &graph) {
  MemoryPlan plan{0, lifetimes(graph)};
  std::vector<Placement *> by_size;
  for (Placement &place : plan.placements) by_size.push_back(&place);
  std::ranges::stable_sort(by_size, std::ranges::greater{}, [](const Placement *place) { return place->size; });
  std::vector<const Placement *> placed; // ascending by offset
  for (Placement *place : by_size) {
    std::uint64_t offset = 0;
    for (const Placement *other : placed) {
      if (!together(*place, *other)) continue;
      if (offset + place->size <= other->offset) break;
      offset = std::max(offset, align_up(other->offset + other->size));
    }
    place->offset = offset;
    placed.insert(std::ranges::upper_bound(placed, offset, {}, [](const Placement *p) { return p->offset; }), place);
    plan.arena_bytes = std::max(plan.arena_bytes, align_up(offset + place->size));
  }
  return plan;
}

std::vector<std::byte> write_memory_plan(const MemoryPlan &plan) {
  const std::uint64_t head[2] = {plan.arena_bytes, plan.placements.size()};
  std::vector<std::byte> bytes(sizeof(head) + plan.placements.size() * sizeof(Placement));
  std::memcpy(bytes.data(), head, sizeof(head));
  if (!plan.placements.empty())
    std::memcpy(bytes.data() + sizeof(head), plan.placements.data(), plan.placements.size() * sizeof(Placement));
  return bytes;
}

Result<MemoryPlan> read_memory_plan(ByteView bytes) {
  std::uint64_t head[2] = {};
  if (bytes.size() < sizeof(head)) return bad_input(fmt::format("{} bytes hold no memory plan", bytes.size()));
  std::memcpy(head, bytes.data(), sizeof(head));
  const ByteView rows = bytes.subspan(sizeof(head));
  if (rows.size() % sizeof(Placement) != 0 || head[1] != rows.size() / sizeof(Placement))
    return bad_input(fmt::format("{} placements in {} bytes", head[1], bytes.size()));
  MemoryPlan plan{head[0], std::vector<Placement>(rows.size() / sizeof(Placement))};
  if (!rows.empty()) std::memcpy(plan.placements.data(), rows.data(), rows.size());
  return plan;
}

Status check_memory_plan(const MemoryPlan &plan, const Graph &graph) {
  const std::vector<Placement> expected = lifetimes(graph);
  if (plan.placements.size() != expected.size())
    return bad_input(fmt::format("{} placements where the graph has {} values of known size", plan.placements.size(),
                                 expected.size()));
  std::vector<const Placement *> by_offset;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const Placement &place = plan.placements[i];
    const Placement &right = expected[i];
    if (place.value != right.value || place.size != right.size || place.first != right.first ||
        place.last != right.last)
      return bad_input(fmt::format(
          "value {}: {} bytes in steps {} to {}, the graph says value {}: {} bytes in steps {} to {}", place.value,
          place.size, place.first, place.last, right.value, right.size, right.first, right.last));
    if (place.offset % alignment != 0 || place.offset > plan.arena_bytes ||
        place.size > plan.arena_bytes - place.offset)
      return bad_input(fmt::format("value {} at {} lies outside the arena of {} bytes", place.value, place.offset,
                                   plan.arena_bytes));
    by_offset.push_back(&place);
  }
  std::ranges::sort(by_offset, {}, [](const Placement *place) { return place->offset; });
  for (std::size_t i = 0; i < by_offset.size(); ++i)
    for (std::size_t j = i + 1; j < by_offset.size(); ++j) {
      const Placement &low = *by_offset[i];
      const Placement &high = *by_offset[j];
      if (high.offset >= low.offset + low.size) break;
      if (high.size > 0 && together(low, high))
        return bad_input(fmt::format("values {} and {} share bytes while both live", low.value, high.value));
    }
  return {};
}

} // namespace edgec::flat
