// Pools as kernels on channels_last activations; the bits are those of kernels/reference/pool.h.
#pragma once

#include "kernels/elementwise.h"
#include "kernels/shapes.h"

namespace edgec::fast {

/// Of float32, uint8 or int8.
Kernel max_pool(const PoolShape &shape, DType dtype, Run run);
Kernel average_pool(const PoolShape &shape, bool count_padding, Run run);
Kernel average_pool(const PoolShape &shape, bool count_padding, Codes from, Codes to, Run run);
/// Averages over `area` positions: x[batch, area, channels] to y[batch, channels].
Kernel global_average_pool(std::int64_t batch, std::int64_t channels, std::int64_t area, Run run);
Kernel global_average_pool(std::int64_t batch, std::int64_t channels, std::int64_t area, Codes from, Codes to, Run run);

/// float32: inputs dy, x and y, output dx; of averages dy alone.
Kernel max_pool_gradient(const PoolShape &shape, Run run);
Kernel average_pool_gradient(const PoolShape &shape, bool count_padding, Run run);

} // namespace edgec::fast
