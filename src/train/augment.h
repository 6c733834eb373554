// Samples varied at random: what a network should answer alike, or as its teacher does.
#pragma once

#include <cstdint>

#include "data/samples.h"
#include "support/random.h"

namespace edgec {

/// What is done to a sample's inputs; each only where it makes sense for an input's shape.
struct Augmentation {
  bool mixup = true;  ///< half of the samples become a mean of two, weighted uniformly (Zhang et al. 2018)
  bool flips = true;  ///< pictures (three channels, 16 x 16 at least) left to right
  bool shifts = true; ///< pictures by an eighth, other inputs with a long axis by 3 along it; edges are repeated
};

/// One sample drawn from `sample` and, for mixup, `other`. Inputs that are not float32 stay; then nothing is mixed.
Sample augmented(const Sample &sample, const Sample &other, const Augmentation &how, Random &random);

} // namespace edgec
