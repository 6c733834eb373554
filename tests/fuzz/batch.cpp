// Any bytes are a sweep file or a lock, or refused; a lock that was read is written and read again as the same.
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "batch/lock.h"
#include "batch/search.h"
#include "batch/toml.h"

namespace {

/// Grids of any size may be asked for; only small ones are made.
bool is_small(const edgec::SweepFile &sweep) {
  std::size_t points = sweep.settings.size() * sweep.networks.size();
  for (const edgec::GridAxis &axis : sweep.axes)
    if (points < 10'000) points *= axis.values.size();
  return points < 10'000;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const auto json = edgec::parse_toml({reinterpret_cast<const char *>(data), size}, "input");
  if (!json) return 0;
  if (const auto sweep = edgec::parse_sweep(*json); sweep && is_small(*sweep)) (void)sweep->combinations();
  (void)edgec::parse_space(*json);
  const auto lock = edgec::parse_lock(*json);
  if (!lock) return 0;
  const std::string text = edgec::lock_text(*lock);
  const auto again = edgec::parse_toml(text, "again");
  if (!again) std::abort();
  const auto same = edgec::parse_lock(*again);
  if (!same || edgec::lock_text(*same) != text) std::abort();
  return 0;
}
