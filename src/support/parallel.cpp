#include "support/parallel.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "support/cancel.h"

namespace edgec {
namespace {

/// Threads that sleep between jobs. Not OpenMP's: those spin while they wait for each other, which a busy machine pays
/// for many times over; and not new ones for each job, which cost more than many a job.
class Workers {
public:
  static Workers &instance() {
    static Workers workers;
    return workers;
  }

  /// Calls job(0) here and job(1) .. job(workers - 1) on other threads; returns when all have. One job at a time. Fewer
  /// are called where the system gives no more threads. A job must not throw.
  void run(int workers, const std::function<void(int)> &job) {
    const std::lock_guard turn(turn_);
    {
      const std::lock_guard lock(mutex_);
      workers_ = std::min(workers, grow(workers - 1) + 1);
      job_ = &job;
      running_ = workers_ - 1;
      ++job_number_;
    }
    wake_.notify_all();
    job(0);
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return running_ == 0; });
  }

  static bool &inside() {
    thread_local bool is_inside = false;
    return is_inside;
  }

private:
  std::mutex turn_, mutex_;
  std::condition_variable wake_, done_;
  std::vector<std::thread> threads_;
  const std::function<void(int)> *job_ = nullptr;
  int workers_ = 0, running_ = 0;
  std::size_t job_number_ = 0;
  bool leaving_ = false;

  Workers() = default;
  ~Workers() {
    {
      const std::lock_guard lock(mutex_);
      leaving_ = true;
    }
    wake_.notify_all();
    for (std::thread &thread : threads_) thread.join();
  }

  /// Starts threads up to this number, if they can be had; the number there are.
  int grow(int threads) {
    try {
      while (static_cast<int>(threads_.size()) < threads)
        threads_.emplace_back(
            [this, number = static_cast<int>(threads_.size()) + 1, seen = job_number_] { serve(number, seen); });
    } catch (const std::system_error &) { // too many already, or no memory for a stack
    }
    return static_cast<int>(threads_.size());
  }

  void serve(int number, std::size_t seen) {
    inside() = true;
    omp_set_num_threads(1); // of libraries called from here
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [&] { return leaving_ || job_number_ != seen; });
      if (leaving_) return;
      seen = job_number_;
      if (number >= workers_) continue;
      const auto *job = job_;
      lock.unlock();
      (*job)(number);
      lock.lock();
      if (--running_ == 0) done_.notify_one();
    }
  }
};

/// This thread works on an item: calls from here run on it alone.
class Inside {
public:
  Inside() { Workers::inside() = true; }
  ~Inside() { Workers::inside() = false; }
  Inside(const Inside &) = delete;
  Inside &operator=(const Inside &) = delete;
};

/// Runs with so many OpenMP threads for libraries.
class OpenMpThreads {
public:
  explicit OpenMpThreads(int threads) : before_(omp_get_max_threads()) { omp_set_num_threads(threads); }
  ~OpenMpThreads() { omp_set_num_threads(before_); }
  OpenMpThreads(const OpenMpThreads &) = delete;
  OpenMpThreads &operator=(const OpenMpThreads &) = delete;

private:
  int before_;
};

} // namespace

Status parallel_for(std::size_t items, int threads, const std::function<Status(std::size_t, int)> &run) {
  const int workers = std::max(1, static_cast<int>(std::min(items, static_cast<std::size_t>(std::max(threads, 1)))));
  std::atomic<std::size_t> next = 0;
  std::atomic<bool> stop = false;
  std::mutex mutex;
  std::size_t failed_item = items;
  Status failure;
  std::exception_ptr thrown;
  const auto fail = [&](std::size_t item, Status status, std::exception_ptr exception) {
    stop = true;
    const std::lock_guard lock(mutex);
    if (item >= failed_item) return;
    failed_item = item;
    failure = std::move(status);
    thrown = std::move(exception);
  };
  const auto work = [&](int worker) {
    while (!stop) {
      const std::size_t item = next++;
      if (item >= items) return;
      try {
        Status status = check_interrupted();
        if (status) status = run(item, worker);
        if (!status) fail(item, std::move(status), nullptr);
      } catch (...) {
        fail(item, {}, std::current_exception());
      }
    }
  };
  if (Workers::inside()) {
    work(0);
  } else if (workers == 1) {
    const OpenMpThreads all(std::max(1, threads));
    work(0);
  } else {
    const OpenMpThreads one(1);
    const Inside inside;
    Workers::instance().run(workers, work);
  }
  if (thrown) std::rethrow_exception(thrown);
  return failure;
}

int hardware_threads() { return std::max(1, omp_get_num_procs()); }

} // namespace edgec
