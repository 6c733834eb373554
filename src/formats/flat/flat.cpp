#include "formats/flat/flat.h"

#include <fmt/format.h>
#include <optional>

#include "codec/parts.h"
#include "formats/flat/compact.h"
#include "formats/flat/container.h"
#include "formats/flat/graph_section.h"
#include "formats/flat/memory_plan.h"
#include "formats/flat/tensor_store.h"
#include "support/cancel.h"
#include "support/file.h"

namespace edgec {

using flat::SectionKind;

namespace {

/// The only section of a kind; nothing where there is none.
Result<std::optional<std::size_t>> only_section(const flat::Container &container, SectionKind kind) {
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i < container.sections().size(); ++i) {
    if (container.sections()[i].kind != static_cast<std::uint32_t>(kind)) continue;
    if (found)
      return bad_input(
          fmt::format("sections {} and {} are both {}s", *found, i, flat::kind_name(static_cast<std::uint32_t>(kind))));
    found = i;
  }
  return found;
}

Result<std::optional<flat::MemoryPlan>> memory_plan(const flat::Container &container) {
  EDGEC_ASSIGN(const auto section, only_section(container, SectionKind::memory_plan));
  if (!section) return std::optional<flat::MemoryPlan>();
  EDGEC_ASSIGN(const Storage bytes, container.unpack(*section));
  EDGEC_ASSIGN(flat::MemoryPlan plan, flat::read_memory_plan(bytes.bytes()).in("memory plan"));
  return std::optional(std::move(plan));
}

} // namespace

bool is_flat(ByteView bytes) { return flat::has_magic(bytes); }

namespace {

/// The graph as a FlatBuffer, however it is stored.
Result<Storage> graph_bytes(const flat::Container &container) {
  EDGEC_ASSIGN(const auto plain, only_section(container, SectionKind::graph));
  EDGEC_ASSIGN(const auto compact, only_section(container, SectionKind::compact_graph));
  if (plain && compact) return bad_input(fmt::format("sections {} and {} are both graphs", *plain, *compact));
  if (plain) return container.unpack(*plain);
  if (!compact) return bad_input("it has no graph section");
  EDGEC_ASSIGN(const Storage record, container.unpack(*compact));
  EDGEC_ASSIGN(std::vector<std::byte> graph, flat::expand_graph(record.bytes()).in("graph section"));
  return Storage::take(std::move(graph));
}

} // namespace

Result<Model> parse_flat(const Storage &file, int threads) {
  EDGEC_ASSIGN(const flat::Container container, flat::Container::open(file));
  EDGEC_ASSIGN(const Storage bytes, graph_bytes(container));
  const auto load = [&](std::uint32_t section) -> Result<Storage> {
    const auto &sections = container.sections();
    if (section >= sections.size() || sections[section].kind != static_cast<std::uint32_t>(SectionKind::tensors))
      return bad_input(fmt::format("section {} holds no tensors", section));
    return container.unpack(section, threads);
  };
  EDGEC_ASSIGN(Model model, flat::read_graph_section(bytes.bytes(), load).in("graph section"));
  EDGEC_ASSIGN(const auto plan, memory_plan(container));
  if (plan) EDGEC_CHECK(flat::check_memory_plan(*plan, model.graph).in("memory plan"));
  return model;
}

Result<Model> read_flat(const std::filesystem::path &path, int threads) {
  EDGEC_ASSIGN(const Storage file, read_file(path));
  EDGEC_ASSIGN(Model model, parse_flat(file, threads).in(path.string()));
  model.source_sha256 = sha256(file.bytes());
  model.source_bytes = file.size();
  return model;
}

namespace {

Result<FlatSection> describe(const flat::Section &section) {
  FlatSection found{flat::kind_name(section.kind),
                    to_string(section.packing),
                    section.required,
                    section.offset,
                    section.stored.size(),
                    section.packing.raw_size,
                    {}};
  if (section.packing.compressor != static_cast<std::uint8_t>(Compressor::parts)) return found;
  EDGEC_ASSIGN(const std::vector<Part> parts, split_parts(section.stored.bytes()));
  for (const Part &part : parts)
    found.parts.push_back({"part",
                           to_string(part.packing),
                           true,
                           static_cast<std::uint64_t>(part.stored.data() - section.stored.data()),
                           part.stored.size(),
                           part.packing.raw_size,
                           {}});
  return found;
}

} // namespace

Result<FlatInfo> describe_flat(const Storage &file) {
  EDGEC_ASSIGN(const flat::Container container, flat::Container::open(file));
  FlatInfo info{flat::major_version, container.minor(), (container.hints() & flat::plain_profile) != 0, 0, {}};
  for (const flat::Section &section : container.sections()) {
    EDGEC_ASSIGN(info.sections.emplace_back(), describe(section));
  }
  EDGEC_ASSIGN(const auto plan, memory_plan(container));
  if (plan) info.arena_bytes = plan->arena_bytes;
  return info;
}

Result<std::vector<std::byte>> serialize_flat(const Model &model, const FlatWriteOptions &options) {
  flat::TensorStore tensors;
  EDGEC_CHECK(flat::write_graph_section(model, tensors, options)); // gathers the tensors
  EDGEC_ASSIGN(flat::PackedBlocks weights, flat::pack_blocks(tensors.blocks(), 1, options));
  tensors.settle(weights.locations);
  EDGEC_ASSIGN(std::vector<std::byte> graph, flat::write_graph_section(model, tensors, options));
  if (!options.plain) graph = flat::compact_graph(graph);
  Packed packed{{0, 0, graph.size(), graph.size()}, {}};
  if (!options.plain) packed = pack_smallest(graph, {}, options.level);
  EDGEC_CHECK(check_interrupted());
  std::vector<flat::SectionSource> sections{{options.plain ? SectionKind::graph : SectionKind::compact_graph, true,
                                             packed.packing,
                                             packed.packing.is_plain() ? ByteView(graph) : ByteView(packed.bytes)}};
  sections.insert(sections.end(), weights.sections.begin(), weights.sections.end());
  std::vector<std::byte> plan;
  if (options.plain) {
    plan = flat::write_memory_plan(flat::plan_memory(model.graph));
    sections.push_back({SectionKind::memory_plan, false, {0, 0, plan.size(), plan.size()}, plan});
  }
  return flat::build_container(sections, options.plain ? flat::plain_profile : 0);
}

Status write_flat(const Model &model, const std::filesystem::path &path, const FlatWriteOptions &options) {
  EDGEC_ASSIGN(const std::vector<std::byte> bytes, serialize_flat(model, options).in(path.string()));
  const ByteView parts[] = {bytes};
  return write_file(path, parts, options.force);
}

} // namespace edgec
