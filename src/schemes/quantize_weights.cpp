// Weights as codes, activations as they are: `--weights TYPE`.
//
//   y = MatMul(x, W)   becomes   w = DequantizeLinear(codes, scales)   y = MatMul(x, w)
//
// A scale for each output channel (rows of the gates of an LSTM), or with --block N for N weights along the axis that
// is summed over. Tables that Gather reads become codes by rows, of which only those read become reals. Biases, and
// what codes would make no smaller, stay float.
#include <fmt/format.h>

#include "schemes/fitting/options.h"
#include "schemes/int8/options.h"
#include "schemes/rate/options.h"
#include "schemes/scheme.h"
#include "schemes/stored/constants.h"

namespace edgec::schemes {
namespace {

constexpr std::string_view name = "quantize-weights";

Result<SchemeOutcome> run(Graph &graph, const Job &job) {
  EDGEC_ASSIGN(const bool changed, store_constants(graph, store_request(graph, job), job, name));
  if (changed) EDGEC_CHECK(infer_types(graph, job.ops));
  return SchemeOutcome{.changed = changed};
}

void declare(Options &options, Settings &settings) {
  auto &stored = settings.edit<StoredOptions>();
  options.group("Weights as codes, activations float");
  options
      .add("--weights", "TYPE", &stored.type,
           "store weights as int8, uint8, int4, uint4, int3, int2 or ternary behind DequantizeLinear (opset 13, 21 "
           "below "
           "8 bits, 25 at 2); with u, asymmetric; ternary: -1, 0 and 1, but 8 bits in the first and the last layer")
      .is_common()
      .one_of({"int8", "uint8", "int4", "uint4", "int3", "int2", "ternary"})
      .loses()
      .records();
  options
      .add("--block", "N", &stored.block,
           "a scale for every N weights that are summed up, not for an output channel (MatMul, Gemm, LSTM; opset 21)")
      .between(2, 65536)
      .needs("weights")
      .records();
  options
      .add("--tables", "TYPE", &stored.tables,
           "codes of the tables that Gather reads (embeddings); auto: int4 where 8 bits would be most of the file")
      .one_of({"auto", "int8", "int4"})
      .needs("weights")
      .records_changes();
}

bool wanted(const Settings &settings) {
  const auto &stored = settings.get<StoredOptions>();
  return stored.wanted() && !stored.fitted(settings);
}

} // namespace

extern const SchemeDef quantize_weights;
const SchemeDef quantize_weights{.name = name,
                                 .flag = "--weights",
                                 .summary = "weights as codes behind DequantizeLinear, rounded to nearest",
                                 .phase = Phase::numbers,
                                 .place = 84,
                                 .learns = Learns::codes,
                                 .uncodes = always,
                                 .declare = declare,
                                 .wanted = wanted,
                                 .check = check_stored,
                                 .least_opset = stored_opset,
                                 .run = run};

} // namespace edgec::schemes
