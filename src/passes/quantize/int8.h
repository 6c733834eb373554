// Static int8 quantization as a whole: calibrate, retype, correct biases, and judge it on samples it has not seen.
#pragma once

#include <functional>
#include <vector>

#include "passes/pass.h"
#include "passes/rate/rate_search.h"

namespace edgec {

/// Called with what is being done, how far it is and out of how much.
using Progress = std::function<void(std::string_view what, std::size_t done, std::size_t all)>;

struct Int8Request {
  const Graph *reference = nullptr; ///< beside which networks are judged; null: nothing is judged
  bool cross_fit = true; ///< quantize twice more on half of the samples each and run the other half
  bool border_nodes = false; ///< the file will spell codes with QuantizeLinear and DequantizeLinear, which take bytes
  std::optional<RateRequest> rate; ///< weights' codes by rate and distortion instead of 8 bits each
  Progress progress;
};

struct Int8Outcome {
  std::optional<Fidelity> held_out; ///< of networks quantized without the samples that they are judged on
  std::size_t layers = 0;        ///< weighted layers that compute on integers
  std::size_t left = 0;          ///< that stay float, since their codes would take more bytes than they save
  std::vector<RatePoint> curve;  ///< what the search of the rate saw
  std::size_t smallest = 0;      ///< bytes of the smallest file that it saw
  bool interrupted = false;      ///< that search was stopped; what it had found meets the budget
};

/// Quantizes `graph`. The context must have calibration samples; statistics are gathered here. Deterministic: the same
/// graph for any number of threads.
Result<Int8Outcome> quantize_int8(Graph &graph, const PassContext &context, const Int8Request &request);

} // namespace edgec
