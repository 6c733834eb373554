// Which readers of a weighted operator its kernel computes along.
#pragma once

#include <functional>

#include "ir/opdef.h"
#include "kernels/fast/conv.h"

namespace edgec::ops {

/// The longest beginning of the followers that float kernels know, as post-operations.
std::vector<fast::FloatPostOp> float_post_ops(const PrepareArgs &args);

/// The kernel that `prepare` makes with as many followers as it takes: all known ones, fewer, or none.
Result<Kernel> with_followers(const PrepareArgs &args,
                              const std::function<Result<Kernel>(std::span<const fast::FloatPostOp>)> &prepare);

/// How many followers leave the codes of a quantized output as they are: Relu and Clip where saturation does their
/// work.
std::size_t identity_followers(const PrepareArgs &args);

} // namespace edgec::ops
