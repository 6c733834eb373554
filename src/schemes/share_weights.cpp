// Weight sharing: `--share BITS` gives each weight tensor a codebook of 2^BITS values (compress/kmeans.h) and stores
// indices: W becomes Gather(codebook, Cast(indices)), so that the file itself shrinks, in any runtime. Indices of up to
// 4 bits are UINT4 (opset 21), longer ones and those of older opsets UINT8.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <numeric>

#include "compress/kmeans.h"
#include "schemes/fitting/options.h"
#include "schemes/scheme.h"
#include "schemes/share/lookup.h"
#include "schemes/share/options.h"

namespace edgec::schemes {
namespace {

constexpr std::string_view name = "share-weights";

Result<SchemeOutcome> run(Graph &graph, const Job &job) {
  const int bits = job.options<ShareOptions>().bits;
  const DType indices = index_type(graph, bits);
  bool changed = false;
  for (const WeightTensor &weight : float_weights(graph, job, name)) {
    const std::string label = graph.node(weight.readers.front().node).label();
    const std::vector<float> numbers = to_floats(*graph.constant(weight.value));
    if (!std::ranges::all_of(numbers, [](float x) { return std::isfinite(x); }))
      return bad_input(fmt::format("node {}: its weight holds a NaN or Inf", label));
    const Codebook book = kmeans_codebook(numbers, bits);
    const auto shared = add_lookup(graph, weight.value, book.values, book.codes, indices, job, name, label);
    if (!shared) continue;
    const double power = std::max(1e-300, std::inner_product(numbers.begin(), numbers.end(), numbers.begin(), 0.0));
    job.say(name, label,
            fmt::format("{} weights share {} values, error {:.1f} dB below them", numbers.size(), book.values.size(),
                        10 * std::log10(power / std::max(book.squared_error, 1e-300))));
    replace_weight(graph, weight, *shared);
    changed = true;
  }
  if (changed && bits <= 4 && indices == DType::uint8)
    job.skip(name, "", fmt::format("indices take 8 bits, opset {} has no 4-bit type", graph.opset()));
  return SchemeOutcome{.changed = changed};
}

bool wanted(const Settings &settings) {
  const auto &share = settings.get<ShareOptions>();
  return share.bits > 0 && !share.one_for_all() && !settings.get<FitOptions>().second_order;
}

} // namespace

extern const SchemeDef share_weights;
const SchemeDef share_weights{.name = name,
                              .flag = "--share",
                              .summary = "each weight tensor keeps 2^BITS values and indices",
                              .place = 50,
                              .learns = Learns::codes,
                              .uncodes = always,
                              .wanted = wanted,
                              .least_opset = lookup_opset,
                              .run = run};

} // namespace edgec::schemes
