// Weight sharing: `--share BITS` gives each weight tensor a codebook of 2^BITS values (compress/kmeans.h) and stores
// indices: W becomes Gather(codebook, Cast(indices)), so that the file itself shrinks, in any runtime. Indices of up to
// 4 bits are UINT4 (opset 21), longer ones and those of older opsets UINT8.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <numeric>

#include "compress/kmeans.h"
#include "passes/share/_lookup.h"

namespace edgec::passes {
namespace {

constexpr std::string_view name = "share-weights";

Result<bool> run(Graph &graph, const PassContext &context) {
  const int bits = context.lossy.share_bits;
  if (bits == 0) return false;
  const DType indices = index_type(graph, bits);
  bool changed = false;
  for (const WeightTensor &weight : float_weights(graph, context, name)) {
    const std::string label = graph.node(weight.readers.front().node).label();
    const std::vector<float> numbers = to_floats(*graph.constant(weight.value));
    if (!std::ranges::all_of(numbers, [](float x) { return std::isfinite(x); }))
      return bad_input(fmt::format("node {}: its weight holds a NaN or Inf", label));
    const Codebook book = kmeans_codebook(numbers, bits);
    const auto shared = add_lookup(graph, weight.value, book.values, book.codes, indices, context, name, label);
    if (!shared) continue;
    const double power = std::max(1e-300, std::inner_product(numbers.begin(), numbers.end(), numbers.begin(), 0.0));
    context.say(name, label,
                fmt::format("{} weights share {} values, error {:.1f} dB below them", numbers.size(), book.values.size(),
                            10 * std::log10(power / std::max(book.squared_error, 1e-300))));
    replace_weight(graph, weight, *shared);
    changed = true;
  }
  if (changed && bits <= 4 && indices == DType::uint8)
    context.skip(name, "", fmt::format("indices take 8 bits, opset {} has no 4-bit type", graph.opset()));
  return changed;
}

} // namespace

extern const PassDef share_weights;
const PassDef share_weights{name, "each weight tensor keeps 2^BITS values and indices", PassKind::lossy, run};

} // namespace edgec::passes
