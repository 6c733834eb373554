#include "passes/share/_lookup.h"

#include <fmt/format.h>

namespace edgec {
namespace {

constexpr std::int64_t first_opset_with_uint4 = 21;
/// What two more nodes and two more initializers cost in a file, roughly: names, dims, operator types.
constexpr std::size_t overhead = 256;

} // namespace

DType index_type(const Graph &graph, int bits) {
  return bits <= 4 && graph.opset() >= first_opset_with_uint4 ? DType::uint4 : DType::uint8;
}

std::optional<ValueId> add_lookup(Graph &graph, ValueId weight, std::span<const float> values, std::span<const std::uint8_t> codes,
                                  DType index_type, const PassContext &context, std::string_view pass, const std::string &label) {
  const Dims dims = graph.constant(weight)->dims;
  const DType dtype = graph.constant(weight)->dtype;
  const std::size_t before = graph.constant(weight)->data.size();
  const std::size_t after = byte_size(index_type, static_cast<std::int64_t>(codes.size())) +
                            byte_size(dtype, static_cast<std::int64_t>(values.size())) + overhead;
  if (after >= before) {
    context.skip(pass, label, fmt::format("{} bytes would become about {}", before, after));
    return std::nullopt;
  }
  const std::string base = graph.value(weight).name;
  const auto named = [&](const char *suffix) { return base.empty() ? std::string() : base + suffix; };
  const std::vector<double> wide(values.begin(), values.end());
  const std::vector<std::int64_t> indices(codes.begin(), codes.end());
  const ValueId codebook =
      graph.add_constant(from_doubles(dtype, {static_cast<std::int64_t>(wide.size())}, wide), named("_codebook"));
  const ValueId stored = graph.add_constant(from_int64s(index_type, dims, indices), named("_indices"));
  Node cast;
  cast.op = "Cast";
  cast.inputs = {stored};
  cast.attributes = {{"to", static_cast<std::int64_t>(DType::int32)}};
  Node gather;
  gather.op = "Gather";
  const NodeId first = graph.nodes().front();
  gather.inputs = {codebook, graph.add_op(std::move(cast), Type::tensor(DType::int32, dims), first)};
  return graph.add_op(std::move(gather), Type::tensor(dtype, dims), first);
}

} // namespace edgec
