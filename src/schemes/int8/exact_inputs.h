// Inputs that are multiples of one number already, such as pixels or features that were stored as 8-bit codes.
#pragma once

#include <optional>

#include "schemes/job.h"

namespace edgec {

/// 8-bit codes that hold every value of the graph's input number `input` exactly, as far as the samples show: all are
/// multiples of one step, at most 255 steps apart, counting 0. Spare codes make steps finer. Nothing where there are
/// none. Looks at no more than 64 samples.
Result<std::optional<Quant>> exact_quant(const Job &job, std::size_t input);

} // namespace edgec
