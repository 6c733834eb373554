#include "job/progress.h"

#include <atomic>
#include <memory>

namespace edgec {

std::function<void()> ProgressSink::counter(std::string step, std::size_t all) {
  auto done = std::make_shared<std::atomic<std::size_t>>(0);
  return [this, step = std::move(step), all, done] { show(step, ++*done, all); };
}

} // namespace edgec
