// How far a job is, told to whoever shows it.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace edgec {

/// "fitting layers", and which share of the whole time it is thought to take beside other steps.
struct ProgressStep {
  std::string name;
  double weight = 1;
};

/// Any thread may call it. As it stands, nobody is told.
class ProgressSink {
public:
  ProgressSink() = default;
  ProgressSink(const ProgressSink &) = delete;
  ProgressSink &operator=(const ProgressSink &) = delete;
  virtual ~ProgressSink() = default;
  /// So much of a step is done. `all` 0: nobody knows how much.
  virtual void show(std::string_view, std::size_t /*done*/, std::size_t /*all*/) {}
  /// What show() tells of from now on is the next part of this step, one of at most so many.
  virtual void stage(std::string_view, std::size_t /*done*/, std::size_t /*most*/) {}

  /// A step of which nobody knows how far it is.
  void begin(std::string_view step) { show(step, 0, 0); }
  /// show() of `step`, one more done with each call.
  std::function<void()> counter(std::string step, std::size_t all);
};

} // namespace edgec
