// Independent items on several threads, with the same result for any number of them.
#pragma once

#include <cstddef>
#include <functional>

#include "support/result.h"

namespace edgec {

/// Calls run(item, worker) for item in 0 .. items - 1 on at most `threads` workers (of a pool; OpenMP regions and calls
/// of this inside run on one thread). Items are handed out in order, none after an error, an exception or an interrupt;
/// once all workers have stopped, the error of the lowest failing item is returned, or its exception thrown on.
Status parallel_for(std::size_t items, int threads, const std::function<Status(std::size_t item, int worker)> &run);

/// The number of processors this process may use.
int hardware_threads();

} // namespace edgec
