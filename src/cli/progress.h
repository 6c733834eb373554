// How far a command is: one line for all of its steps.
#pragma once

#include <chrono>
#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "job/progress.h"

namespace edgec {

/// What is known of the work. Counts up only: a step that is passed over counts as done, and one that is not planned is
/// a part of the step before.
class ProgressState {
public:
  explicit ProgressState(std::vector<ProgressStep> plan) : plan_(std::move(plan)) {}
  /// So much of a step is done; the next of its name, if it begins again. `all` 0: nobody knows how much.
  void show(std::string_view what, std::size_t done, std::size_t all);
  /// What show() tells of from now on is the next part of this step, one of at most so many.
  void stage(std::string_view step, std::size_t done, std::size_t most);
  /// Of all the work, 0 to 1.
  [[nodiscard]] double fraction() const { return fraction_; }
  /// "[3/7] fitting layers 12/26  38 %  about 0:25 left", where the work has taken so long; the time left is not told
  /// of the first seconds.
  [[nodiscard]] std::string text(double seconds) const;
  /// {"progress": 0.38, "step": "fitting layers", "done": 12, "all": 26} in a line; `all` 0: nobody knows how much.
  [[nodiscard]] std::string json() const;

private:
  std::vector<ProgressStep> plan_;
  std::size_t at_ = 0, done_ = 0, all_ = 0, parts_done_ = 0, parts_ = 0; // parts_: 0 outside of stages
  std::string what_;
  double fraction_ = 0;

  bool move_to(std::string_view step);
  void count();
};

/// The state on a terminal's last line, gone when done; nothing where stderr is none. Or lines of JSON
/// (--progress-lines).
class ProgressLine : public ProgressSink {
public:
  explicit ProgressLine(std::vector<ProgressStep> plan);
  ~ProgressLine() override;
  void show(std::string_view what, std::size_t done, std::size_t all) override;
  void stage(std::string_view step, std::size_t done, std::size_t most) override;

private:
  std::mutex mutex_;
  ProgressState state_;
  std::chrono::steady_clock::time_point begun_, shown_;
};

} // namespace edgec
