// Weight sharing: `--share BITS` gives each weight tensor a codebook of 2^BITS values (compress/kmeans.h) and stores
// indices: W becomes Gather(codebook, Cast(indices)), so that the file itself shrinks, in any runtime. Indices of up to
// 4 bits are UINT4 (opset 21), longer ones and those of older opsets UINT8.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <numeric>

#include "compress/kmeans.h"
#include "passes/weights.h"

namespace edgec::passes {
namespace {

constexpr std::string_view name = "share-weights";
constexpr std::int64_t first_opset_with_uint4 = 21;
/// What two more nodes and two more initializers cost in a file, roughly: names, dims, operator types.
constexpr std::size_t overhead = 256;

/// The value that stands for the weight: a codebook of its element type, looked up by indices of its shape.
ValueId add_lookup(Graph &graph, const Codebook &book, DType index_type, const Value &weight) {
  const Dims dims = weight.data->dims;
  const DType dtype = weight.data->dtype;
  const std::string base = weight.name;
  const std::vector<double> values(book.values.begin(), book.values.end());
  const std::vector<std::int64_t> codes(book.codes.begin(), book.codes.end());
  const auto named = [&](const char *suffix) { return base.empty() ? std::string() : base + suffix; };
  const ValueId codebook =
      graph.add_constant(from_doubles(dtype, {static_cast<std::int64_t>(values.size())}, values), named("_codebook"));
  const ValueId stored = graph.add_constant(from_int64s(index_type, dims, codes), named("_indices"));
  Node cast;
  cast.op = "Cast";
  cast.inputs = {stored};
  cast.attributes = {{"to", static_cast<std::int64_t>(DType::int32)}};
  Node gather;
  gather.op = "Gather";
  const NodeId before = graph.nodes().front();
  gather.inputs = {codebook, graph.add_op(std::move(cast), Type::tensor(DType::int32, dims), before)};
  return graph.add_op(std::move(gather), Type::tensor(dtype, dims), before);
}

Result<bool> run(Graph &graph, const PassContext &context) {
  const int bits = context.lossy.share_bits;
  if (bits == 0) return false;
  const bool nibbles = bits <= 4 && graph.opset() >= first_opset_with_uint4;
  bool changed = false;
  for (const WeightTensor &weight : float_weights(graph, context, name)) {
    const Value &value = graph.value(weight.value);
    const std::string label = graph.node(weight.readers.front().node).label();
    const std::vector<float> numbers = to_floats(*value.data);
    if (!std::ranges::all_of(numbers, [](float x) { return std::isfinite(x); }))
      return bad_input(fmt::format("node {}: its weight holds a NaN or Inf", label));
    const Codebook book = kmeans_codebook(numbers, bits);
    const DType index_type = nibbles ? DType::uint4 : DType::uint8;
    const auto count = static_cast<std::int64_t>(numbers.size());
    const std::size_t after = byte_size(index_type, count) +
                              byte_size(value.data->dtype, static_cast<std::int64_t>(book.values.size())) + overhead;
    if (after >= value.data->data.size()) {
      context.skip(name, label, fmt::format("{} bytes would become about {}", value.data->data.size(), after));
      continue;
    }
    const double power = std::max(1e-300, std::inner_product(numbers.begin(), numbers.end(), numbers.begin(), 0.0));
    context.say(name, label,
                fmt::format("{} weights share {} values, error {:.1f} dB below them", count, book.values.size(),
                            10 * std::log10(power / std::max(book.squared_error, 1e-300))));
    replace_weight(graph, weight, add_lookup(graph, book, index_type, value));
    changed = true;
  }
  if (changed && bits <= 4 && !nibbles)
    context.skip(name, "", fmt::format("indices take 8 bits, opset {} has no 4-bit type", graph.opset()));
  return changed;
}

} // namespace

extern const PassDef share_weights;
const PassDef share_weights{name, "each weight tensor keeps 2^BITS values and indices", PassKind::lossy, run};

} // namespace edgec::passes
