// Finds out how a network that comes without samples wants its inputs: the network itself says it.
#pragma once

#include <string>
#include <vector>

#include "data/made_up.h"
#include "ir/opdef.h"

namespace edgec {

struct InputScaleOptions {
  std::shared_ptr<PictureBook> pictures; ///< 32 at least
  ValueId logits; ///< the network's answer, for networks without BatchNormalization; none: it is not asked
  int threads = 1;
  Isa isa = Isa::scalar;
  std::uint64_t seed = 0;
};

/// What was found, in words, and what speaks against it.
struct InputScale {
  std::string
      evidence; ///< "images in [-1, 1]: first BatchNormalization, KL 0.11; next [0, 1], 0.21"; empty: no input to fit
  bool certain = false; ///< the evidence tells the candidates apart
};

/// Sets the preprocessing of images, and mean and std of series, to those under which the moments before the first
/// BatchNormalizations are nearest to their running ones: the median over channels of KL(found || running), both taken
/// as normal. Without BatchNormalization pictures are scaled so that the answers differ most from picture to picture:
/// the mutual information H(mean p) - mean H(p). `graph` is as stored, before BatchNormalization is folded.
Result<InputScale> fit_input_scale(const Graph &graph, const OpRegistry &ops, std::vector<MadeUpInput> &inputs,
                                   const InputScaleOptions &options);

} // namespace edgec
