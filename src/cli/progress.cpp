#include "cli/progress.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <fmt/format.h>
#include <memory>
#include <utility>

#include "cli/console.h"

namespace edgec {
namespace {

std::string clock(double seconds) {
  const long whole = std::lround(seconds);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

double ratio(double part, double whole) { return whole > 0 ? std::clamp(part / whole, 0.0, 1.0) : 0; }

} // namespace

bool ProgressState::move_to(std::string_view step) {
  const auto named = [&](const ProgressStep &one) { return one.name == step; };
  const bool here = at_ > 0 && named(plan_[at_ - 1]);
  const auto next = std::find_if(plan_.begin() + static_cast<std::ptrdiff_t>(at_), plan_.end(), named);
  if (next != plan_.end()) at_ = static_cast<std::size_t>(next - plan_.begin()) + 1;
  return here || next != plan_.end();
}

void ProgressState::show(std::string_view what, std::size_t done, std::size_t all) {
  const bool again = what != what_ || done < done_;
  const bool planned = again && std::ranges::find(plan_, what, &ProgressStep::name) != plan_.end();
  if (planned && (parts_ == 0 || at_ == 0 || plan_[at_ - 1].name != what) && move_to(what)) parts_ = 0;
  what_ = what;
  done_ = done;
  all_ = all;
  count();
}

void ProgressState::stage(std::string_view step, std::size_t done, std::size_t most) {
  if (parts_ == 0) move_to(step);
  parts_done_ = done;
  parts_ = std::max<std::size_t>(most, 1);
  what_ = step;
  done_ = all_ = 0;
  count();
}

void ProgressState::count() {
  double all = 0, before = 0;
  for (std::size_t i = 0; i < plan_.size(); ++i) {
    all += plan_[i].weight;
    if (i + 1 < at_) before += plan_[i].weight;
  }
  double part = ratio(static_cast<double>(done_), static_cast<double>(all_));
  if (parts_ > 0) part = ratio(static_cast<double>(parts_done_) + part, static_cast<double>(parts_));
  const bool own = at_ > 0 && (parts_ > 0 || plan_[at_ - 1].name == what_);
  if (own) before += part * plan_[at_ - 1].weight;
  fraction_ = std::max(fraction_, ratio(before, all));
}

std::string ProgressState::text(double seconds) const {
  constexpr double first_seconds = 3;
  std::string text = fmt::format("[{}/{}] ", std::max<std::size_t>(at_, 1), plan_.size());
  const std::string step = at_ > 0 ? plan_[at_ - 1].name : what_;
  if (parts_ > 0)
    text += fmt::format("{} {} of at most {}{}", step, parts_done_ + 1, parts_, what_ == step ? "" : ", ");
  if (parts_ == 0 || what_ != step) text += what_;
  if (all_ > 0) text += fmt::format(" {}/{}", done_, all_);
  text += fmt::format("  {:.0f} %", 100 * fraction_);
  if (seconds >= first_seconds && fraction_ > 0)
    text += fmt::format("  about {} left", clock(seconds * (1 - fraction_) / fraction_));
  return text;
}

std::string ProgressState::json() const {
  return fmt::format(R"({{"progress": {:.4f}, "step": "{}", "done": {}, "all": {}}})", fraction_, what_, done_, all_);
}

ProgressLine::ProgressLine(std::vector<ProgressStep> plan)
    : state_(std::move(plan)), begun_(std::chrono::steady_clock::now()), shown_(begun_) {}

ProgressLine::~ProgressLine() { erase_line(); }

void ProgressLine::show(std::string_view what, std::size_t done, std::size_t all) {
  if (!shows_lines() && !tells_progress()) return;
  const std::lock_guard lock(mutex_);
  state_.show(what, done, all);
  const auto now = std::chrono::steady_clock::now();
  if (all > 0 && now - shown_ < std::chrono::milliseconds(100))
    return; // a step that will not be told of again is drawn
  shown_ = now;
  if (tells_progress()) return tell_progress(state_.json());
  draw_line(state_.text(std::chrono::duration<double>(now - begun_).count()));
}

void ProgressLine::stage(std::string_view step, std::size_t done, std::size_t most) {
  if (!shows_lines() && !tells_progress()) return;
  const std::lock_guard lock(mutex_);
  state_.stage(step, done, most);
}

} // namespace edgec
