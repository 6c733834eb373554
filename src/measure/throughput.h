// How many inferences a second several streams make side by side, and the energy that they take.
#pragma once

#include <optional>
#include <string>

#include "data/samples.h"
#include "measure/energy.h"
#include "runtime/plan.h"

namespace edgec {

struct EnergyFigures {
  double joules = 0;     ///< of the packages while the streams ran
  double idle_watts = 0; ///< measured before, nothing of this process running
  std::string zones;
};

struct Throughput {
  int streams = 1;
  std::size_t runs = 0; ///< of all streams
  double seconds = 0;
  std::optional<EnergyFigures> energy;

  [[nodiscard]] double per_second() const { return static_cast<double>(runs) / seconds; }
  /// Of an inference, with what the machine takes at rest or without; nothing: not measured.
  [[nodiscard]] std::optional<double> joules_each() const;
  [[nodiscard]] std::optional<double> joules_each_above_idle() const;
};

/// Each stream runs the plan again and again on a session of its own, at least so long and once. With a meter, energy
/// is counted too: first at rest for a second, then of the streams. Stops on an interrupt.
Result<Throughput> measure_throughput(const std::shared_ptr<const Plan> &plan, const Sample &sample, int streams,
                                      double least_seconds, EnergyMeter *meter);

} // namespace edgec
