// Walks a graph layer by layer over all samples: the values between the layers are kept, so that each layer is seen
// on what the layers before it give now, and nothing is run twice from the start.
#pragma once

#include <functional>
#include <limits>
#include <map>
#include <set>
#include <vector>

#include "calibrate/sample_store.h"
#include "calibrate/statistics.h"
#include "data/samples.h"
#include "ir/opdef.h"
#include "runtime/plan.h"

namespace edgec {

/// Sum and count of codes (or reals) per channel of one value over all samples.
struct ChannelObservation {
  std::vector<double> sum;    ///< of codes, or of reals where the value is float
  std::vector<double> inside; ///< codes strictly between the ends of their type; reals strictly inside the interval
  double positions = 0;       ///< per channel, over all samples
};

/// Reals that an activation does not clamp.
struct Interval {
  float low = -std::numeric_limits<float>::infinity(), high = std::numeric_limits<float>::infinity();
};

/// Holds, for each sample, the values at the stops (inputs of weighted layers) that are still needed. The graph is
/// edited by the caller between calls (biases, weights); values downstream of a stop are always computed anew from it.
class Walk {
public:
  struct Options {
    int threads = 1;
    Isa isa = Isa::scalar;
    std::shared_ptr<MemoryBudget> budget = nullptr; ///< of the kept values; null: 192 MiB
    bool hold = false;                              ///< stops stay until release()
  };
  /// `stops` are values of `graph`; they are visited in topological order.
  Walk(const Graph &graph, const OpRegistry &ops, const SampleSet &samples, std::vector<std::size_t> which,
       std::vector<ValueId> stops, Options options);
  ~Walk();

  /// The stops in the order in which advance() reaches them.
  [[nodiscard]] const std::vector<ValueId> &stops() const;
  /// Computes the next stop's value of every sample from earlier stops, and drops those not needed any more.
  Status advance();
  /// Advances until `stop` is there.
  Status reach(ValueId stop);
  /// A reached stop's value of one sample, in the layout it was computed in. Thread-safe.
  [[nodiscard]] Result<Tensor> value(ValueId stop, std::size_t sample) const;
  [[nodiscard]] const Dims &dims(ValueId stop, std::size_t sample) const;
  [[nodiscard]] Layout layout(ValueId stop) const;
  /// The stop may go when nothing later is computed from it.
  void release(ValueId stop);
  /// Runs from the stop reached last to the values and observes them over all samples. Same for any number of threads.
  Result<std::map<ValueId, ChannelObservation>> observe(const std::map<ValueId, Interval> &values);

private:
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace edgec
