// Options of pruning: single weights, whole channels.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace edgec {

struct PruneOptions {
  std::string asked;          ///< "0.5", "2:4"; empty: nothing
  double ratio = 0;           ///< 0 .. 1
  int n = 0, m = 0;           ///< m > 0: n of every m neighbours stay
  std::string scope = "auto"; ///< auto: by what layers mean to the answers; global: one magnitude; layer: shares
  /// Which weights of a layer go: those that others make up for; magnitude: the smallest; importance: those whose
  /// square times the answers' squared gradient is the smallest.
  std::string mask = "second-order";
  std::string schedule = "one-shot"; ///< gradual: the last zeros come while the network is trained (--tune)

  [[nodiscard]] bool wanted() const { return ratio > 0 || m > 0; }
  [[nodiscard]] bool gradual() const { return schedule == "gradual" && m == 0; }
  /// The share of zeros before training.
  [[nodiscard]] double first_ratio() const { return gradual() ? std::min(0.8, 0.9 * ratio) : ratio; }
};

/// Whole channels, counted by the multiply-accumulates that go with them.
struct ChannelOptions {
  std::optional<double> share;    ///< of the multiply-accumulates to cut, 0 .. 1
  std::optional<double> max_macs; ///< the same: at most so many may be left
};

/// Why SchemeDef::only_flat.
inline constexpr std::string_view zeros_take_place =
    "an .onnx file stores zeros like other weights and gets no smaller by --prune";

/// "4 of 8 weights are zero (50.0 %)".
std::string zeros_text(std::size_t zeros, std::size_t count);

} // namespace edgec
