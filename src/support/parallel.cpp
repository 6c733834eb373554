#include "support/parallel.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include "support/cancel.h"

namespace edgec {

Status parallel_for(std::size_t items, int threads, const std::function<Status(std::size_t, int)> &run) {
  const int workers = std::max(1, static_cast<int>(std::min(items, static_cast<std::size_t>(std::max(threads, 1)))));
  std::atomic<std::size_t> next = 0;
  std::atomic<bool> stop = false;
  std::mutex mutex;
  std::size_t failed_item = items;
  Status failure;
  const auto work = [&](int worker) {
    while (!stop) {
      const std::size_t item = next++;
      if (item >= items) return;
      Status status = check_interrupted();
      if (status) status = run(item, worker);
      if (status) continue;
      stop = true;
      const std::lock_guard lock(mutex);
      if (item < failed_item) {
        failed_item = item;
        failure = std::move(status);
      }
    }
  };
  if (workers == 1) {
    const int before = omp_get_max_threads();
    omp_set_num_threads(std::max(1, threads));
    work(0);
    omp_set_num_threads(before);
  } else {
    // Threads of our own: OpenMP's spin while they wait for each other, which a busy machine pays for many times over.
    const auto own_thread = [&](int worker) {
      omp_set_num_threads(1); // of libraries called from here
      work(worker);
    };
    std::vector<std::jthread> others;
    for (int worker = 1; worker < workers; ++worker) others.emplace_back(own_thread, worker);
    const int before = omp_get_max_threads();
    own_thread(0);
    omp_set_num_threads(before);
  }
  return failure;
}

int hardware_threads() { return std::max(1, omp_get_num_procs()); }

} // namespace edgec
