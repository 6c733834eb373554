#include "measure/throughput.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "support/cancel.h"

namespace edgec {
namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

struct Stream {
  std::size_t runs = 0;
  Status status;

  /// Until so many seconds after `begin`; `each` is called after every run.
  void run(const std::shared_ptr<const Plan> &plan, const Sample &sample, Clock::time_point begin, double seconds,
           const std::function<Status()> &each) {
    Session session(plan);
    const std::vector<RuntimeValue> feeds(sample.begin(), sample.end());
    do {
      status = check_interrupted();
      if (status) {
        if (auto ran = session.run(feeds); !ran) status = std::move(ran).error();
      }
      ++runs;
      if (status) status = each();
    } while (status && since(begin) < seconds);
  }
};

/// Watts while nothing of this process runs.
Result<double> idle_watts(EnergyMeter &meter) {
  constexpr auto rest = std::chrono::seconds(1);
  EDGEC_ASSIGN(const double before, meter.joules());
  const auto begin = Clock::now();
  std::this_thread::sleep_for(rest);
  EDGEC_ASSIGN(const double after, meter.joules());
  return (after - before) / since(begin);
}

} // namespace

std::optional<double> Throughput::joules_each() const {
  return energy ? std::optional(energy->joules / static_cast<double>(runs)) : std::nullopt;
}

std::optional<double> Throughput::joules_each_above_idle() const {
  if (!energy) return std::nullopt;
  return (energy->joules - energy->idle_watts * seconds) / static_cast<double>(runs);
}

Result<Throughput> measure_throughput(const std::shared_ptr<const Plan> &plan, const Sample &sample, int streams,
                                      double least_seconds, EnergyMeter *meter) {
  Throughput found;
  found.streams = streams;
  double before = 0;
  if (meter != nullptr) {
    found.energy.emplace();
    found.energy->zones = meter->zones();
    EDGEC_ASSIGN(found.energy->idle_watts, idle_watts(*meter));
    EDGEC_ASSIGN(before, meter->joules());
  }
  const auto begin = Clock::now();
  double read = 0;
  const auto watch = [&]() -> Status { // counters are read often enough not to miss that one wraps around
    if (meter == nullptr || since(begin) - read < 1) return {};
    read = since(begin);
    EDGEC_CHECK(meter->joules());
    return {};
  };
  std::vector<Stream> all(static_cast<std::size_t>(std::max(1, streams)));
  std::vector<std::thread> threads;
  for (std::size_t i = 1; i < all.size(); ++i)
    threads.emplace_back([&, i] { all[i].run(plan, sample, begin, least_seconds, [] { return Status(); }); });
  all[0].run(plan, sample, begin, least_seconds, watch);
  for (std::thread &thread : threads) thread.join();
  found.seconds = since(begin);
  if (meter != nullptr) {
    EDGEC_ASSIGN(const double after, meter->joules());
    found.energy->joules = after - before;
  }
  for (Stream &stream : all) {
    if (!stream.status) return std::move(stream.status).error();
    found.runs += stream.runs;
  }
  return found;
}

} // namespace edgec
