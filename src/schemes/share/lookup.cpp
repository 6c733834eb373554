#include "schemes/share/lookup.h"

#include "schemes/share/options.h"
#include <fmt/format.h>

namespace edgec {
namespace {

constexpr std::int64_t first_opset_with_uint4 = 21;
/// What two more nodes and two more initializers cost in a file, roughly: names, dims, operator types.
constexpr std::size_t overhead = 256, scale_overhead = 80;

/// Whether the weight takes fewer bytes so.
bool saves(const Graph &graph, ValueId weight, std::size_t after, const Job &job, std::string_view pass,
           const std::string &label) {
  const std::size_t before = graph.constant(weight)->data.size();
  if (after >= before) job.skip(pass, label, fmt::format("{} bytes would become about {}", before, after));
  return after < before;
}

std::string suffixed(const Graph &graph, ValueId weight, const char *suffix) {
  const std::string &base = graph.value(weight).name;
  return base.empty() ? base : base + suffix;
}

/// codebook[codes], of the weight's shape and type.
ValueId look_up(Graph &graph, ValueId weight, ValueId codebook, std::span<const std::uint8_t> codes, DType index_type) {
  const Dims dims = graph.constant(weight)->dims;
  const Type type = Type::tensor(graph.constant(weight)->dtype, dims);
  const std::vector<std::int64_t> indices(codes.begin(), codes.end());
  const ValueId stored =
      graph.add_constant(from_int64s(index_type, dims, indices), suffixed(graph, weight, "_indices"));
  Node cast{.op = "Cast", .inputs = {stored}, .attributes = {{"to", static_cast<std::int64_t>(DType::int32)}}};
  Node gather;
  gather.op = "Gather";
  const NodeId first = graph.nodes().front();
  gather.inputs = {codebook, graph.add_op(std::move(cast), Type::tensor(DType::int32, dims), first)};
  return graph.add_op(std::move(gather), type, first);
}

} // namespace

std::int64_t lookup_opset(const Settings &settings, bool flat) {
  constexpr int packed_bits = 4, packed_opset = 21;
  return settings.get<ShareOptions>().bits <= packed_bits && !flat ? packed_opset : 0;
}

DType index_type(const Graph &graph, int bits) {
  return bits <= 4 && graph.opset() >= first_opset_with_uint4 ? DType::uint4 : DType::uint8;
}

std::optional<ValueId> add_lookup(Graph &graph, ValueId weight, std::span<const float> values,
                                  std::span<const std::uint8_t> codes, DType index_type, const Job &job,
                                  std::string_view pass, const std::string &label) {
  const DType dtype = graph.constant(weight)->dtype;
  const std::size_t after = byte_size(index_type, static_cast<std::int64_t>(codes.size())) +
                            byte_size(dtype, static_cast<std::int64_t>(values.size())) + overhead;
  if (!saves(graph, weight, after, job, pass, label)) return std::nullopt;
  const std::vector<double> wide(values.begin(), values.end());
  const Tensor table = from_doubles(dtype, {static_cast<std::int64_t>(wide.size())}, wide);
  const ValueId codebook = graph.add_constant(table, suffixed(graph, weight, "_codebook"));
  return look_up(graph, weight, codebook, codes, index_type);
}

std::optional<ValueId> add_scaled_lookup(Graph &graph, ValueId weight, ValueId codebook, float scale,
                                         std::span<const std::uint8_t> codes, DType index_type, const Job &job,
                                         std::string_view pass, const std::string &label) {
  const std::size_t after = byte_size(index_type, static_cast<std::int64_t>(codes.size())) + overhead + scale_overhead;
  if (!saves(graph, weight, after, job, pass, label)) return std::nullopt;
  const ValueId factor = graph.add_constant(Tensor::scalar(scale), suffixed(graph, weight, "_scale"));
  const ValueId values = look_up(graph, weight, codebook, codes, index_type);
  Node mul{.op = "Mul", .inputs = {values, factor}};
  const Type type = graph.value(values).type;
  return graph.add_op(std::move(mul), type, graph.nodes().front());
}

} // namespace edgec
