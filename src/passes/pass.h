// What a pass is: a named rewrite of the graph that says what it did and what it left alone.
#pragma once

#include <functional>
#include <memory>
#include <regex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "calibrate/statistics.h"
#include "data/samples.h"
#include "ir/opdef.h"

namespace edgec {

/// Something a pass did, or did not do and why: a line of the report.
struct PassNote {
  std::string pass, node, text;
  bool skipped = false; ///< something was left as it was
};

/// Which nodes lossy passes may touch: regular expressions (ECMAScript, whole name) over origins, and operator types.
struct Scope {
  std::vector<std::regex> include, exclude;
  std::vector<std::string> op_types;
  [[nodiscard]] bool allows(const Node &node) const;
};

/// Whether something is done: automatic means where it gains on samples it was not fitted to.
enum class Choice { off, on, automatic };

/// Settings of the lossy passes, as the command line and recipes say them.
struct LossyOptions {
  double prune_ratio = 0;                 ///< 0 .. 1
  std::string prune_scope = "auto";       ///< auto: by what layers mean to the answers; global: one magnitude; layer: shares
  std::string prune_mask = "second-order"; ///< which weights of a layer go: those that others make up for; magnitude: the smallest
  int prune_steps = 8;                    ///< in which a mask by second order grows
  int prune_n = 0, prune_m = 0;           ///< > 0: n of every m neighbours stay
  bool prune_by_magnitude = false;        ///< without refitting what is left: no samples, or in haste
  double prune_channels = 0;              ///< share of the multiply-accumulates to cut with whole channels, 0 .. 1
  double max_macs = 0;                    ///< the same: at most so many may be left; 0: no limit
  double low_rank = 0;                    ///< share of a layer's weights that its two factors may have; 0: off
  double low_rank_sqnr = 30;              ///< decibels that the answers keep on held-out samples when layers become two
  int share_bits = 0;                     ///< 2 .. 8; 0: off
  bool share_network = false;             ///< one codebook for all tensors, each with a scale
  double share_hash = 0;                  ///< stored values a weight, 0 .. 1: a hash says which one; 0: off
  std::string range = "percentile";       ///< minmax, percentile, entropy, mse; auto: the best on held-out samples
  double percentile = 99.999;
  bool bias_correction = true;
  bool second_order = true;               ///< int8: refit, scale search, GPTQ; else round to nearest and bias correction
  Choice equalize = Choice::automatic;    ///< cross-layer equalization before int8
  bool refit = true;                      ///< weights fitted to the original's outputs on compressed inputs
  std::size_t positions = 128;            ///< of each sample that second moments look at
  int rounding_sweeps = 4;                ///< coordinate descent after GPTQ; -1: round to nearest
  bool scale_search = true;
  double rate = 0;                        ///< of rate-distortion rounding: squared error of the logits a bit may cost
  int weight_bits = 8;                    ///< of int8 quantization: 8 or 4
  int input_bits = 8;                     ///< of the network's inputs: 8, or 16 where 8 do not hold them exactly
  bool integer_results = false;           ///< every integer operator but Gemm has a quantized output (QOperator files)
  std::vector<std::string> include_depthwise; ///< depthwise layers named explicitly by --include are prunable
};

/// What a pass may look at. Calibration is there only for passes that need it.
struct PassContext {
  const OpRegistry &ops;
  LossyOptions lossy;
  Scope scope;
  const SampleSet *calibration = nullptr; ///< prepared samples in calibration order
  std::vector<std::size_t> samples;       ///< which of them to use (folds of cross-fitting)
  const RangeStatistics *statistics = nullptr; ///< of the graph at hand; null: the pass that needs them gathers them
  const Graph *original = nullptr;      ///< before any lossy pass, same ids: whose means a corrected network keeps
  int threads = 1;
  Isa isa = Isa::scalar;
  std::uint64_t seed = 0;
  std::size_t memory = std::size_t{192} << 20; ///< bytes of samples' values kept at once; more go to a temporary file
  std::size_t fold_growth_limit = 1024; ///< bytes a folded constant may grow beyond what it replaces
  int channel_multiple = 1;             ///< where channels are cut, layers keep a multiple of this many
  std::function<void(PassNote)> note;
  /// What a long pass is doing, and how much of it is done.
  std::function<void(std::string_view what, std::size_t done, std::size_t all)> progress;

  void say(std::string_view pass, std::string node, std::string text) const;
  void skip(std::string_view pass, std::string node, std::string text) const;
};

enum class PassKind { exact, lossy };

struct PassDef {
  std::string_view name;    ///< "fuse-conv-bn": file fuse_conv_bn.cpp, symbol passes::fuse_conv_bn
  std::string_view summary; ///< one line
  PassKind kind = PassKind::exact;
  /// True if the graph changed. "Unchanged" means identical text.
  Result<bool> (*run)(Graph &, const PassContext &) = nullptr;
};

/// Every pass of the folders below, by name; the table is generated by the build.
std::span<const PassDef *const> all_passes();
const PassDef *find_pass(std::string_view name);

} // namespace edgec
