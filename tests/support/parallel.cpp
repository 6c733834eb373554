// Independent items on several threads: each once, errors and exceptions of the lowest one, interrupts.
#include "support/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <csignal>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/cancel.h"

namespace edgec {
namespace {

constexpr int thread_counts[] = {1, 2, 3, 8};

/// Throws what an allocation throws; through std::string, as code does it.
void run_out_of_memory() {
  std::string text;
  text.reserve(text.max_size() / 2);
}

/// Counted for as long as it lives.
class Present {
public:
  explicit Present(std::atomic<int> &count) : count_(count) { ++count_; }
  ~Present() { --count_; }
  Present(const Present &) = delete;
  Present &operator=(const Present &) = delete;

private:
  std::atomic<int> &count_;
};

TEST(ParallelFor, RunsEachItemOnceOnWorkersBelowTheNumber) {
  for (const int threads : thread_counts)
    for (const std::size_t items : {0U, 1U, 2U, 7U, 1000U}) {
      std::vector<std::atomic<int>> runs(items);
      std::atomic<int> strangers = 0;
      ASSERT_TRUE(parallel_for(items, threads, [&](std::size_t item, int worker) -> Status {
        ++runs[item];
        if (worker < 0 || worker >= threads) ++strangers;
        return {};
      }));
      for (const auto &count : runs) EXPECT_EQ(count, 1) << items << " items, " << threads << " threads";
      EXPECT_EQ(strangers, 0);
    }
}

TEST(ParallelFor, ThrowsAnItemsExceptionOnceAllWorkersHaveStopped) {
  for (const int threads : thread_counts)
    for (std::size_t bad = 0; bad < 20; ++bad) {
      std::atomic<int> running = 0, begun = 0;
      const auto run = [&] {
        return parallel_for(20, threads, [&](std::size_t item, int) -> Status {
          const Present present(running);
          ++begun;
          if (item == bad) run_out_of_memory();
          return {};
        });
      };
      EXPECT_THROW(static_cast<void>(run()), std::bad_alloc) << threads << " threads, item " << bad;
      EXPECT_EQ(running, 0);
      if (threads == 1) {
        EXPECT_EQ(begun, static_cast<int>(bad) + 1);
      }
      std::atomic<int> after = 0; // the pool serves the next one
      ASSERT_TRUE(parallel_for(20, threads, [&](std::size_t, int) -> Status {
        ++after;
        return {};
      }));
      EXPECT_EQ(after, 20);
    }
}

TEST(ParallelFor, GivesWhatTheLowestFailingItemGave) {
  constexpr std::size_t workers = 4;
  for (std::size_t thrower = 0; thrower < workers; ++thrower)
    for (std::size_t failer = 0; failer < workers; ++failer) {
      if (thrower == failer) continue;
      std::barrier together(workers); // all items have begun before one fails
      const auto run = [&] {
        return parallel_for(workers, workers, [&](std::size_t item, int) -> Status {
          together.arrive_and_wait();
          if (item == thrower) throw std::runtime_error("thrown");
          if (item == failer) return bad_input("returned");
          return {};
        });
      };
      if (thrower < failer) {
        EXPECT_THROW(static_cast<void>(run()), std::runtime_error) << thrower << " throws, " << failer << " fails";
      } else {
        const Status status = run();
        ASSERT_FALSE(status);
        EXPECT_EQ(status.error().message, "returned");
      }
    }
}

TEST(ParallelFor, ThrowsOutOfCallsInsideOfItems) {
  for (const int threads : thread_counts)
    for (std::size_t bad = 0; bad < 9; ++bad) {
      const auto run = [&] {
        return parallel_for(3, threads, [&](std::size_t outer, int) {
          return parallel_for(3, threads, [&](std::size_t inner, int worker) -> Status {
            EXPECT_LT(worker, threads);
            if (3 * outer + inner == bad) run_out_of_memory();
            return {};
          });
        });
      };
      EXPECT_THROW(static_cast<void>(run()), std::bad_alloc) << threads << " threads, item " << bad;
    }
}

TEST(ParallelFor, RunsOnSeveralThreadsAfterAnException) {
  EXPECT_THROW(static_cast<void>(parallel_for(2, 2, [](std::size_t, int) -> Status { throw 1; })), int);
  std::barrier together(2); // never passed by one thread alone
  EXPECT_TRUE(parallel_for(2, 2, [&](std::size_t, int) -> Status {
    together.arrive_and_wait();
    return {};
  }));
}

TEST(ParallelFor, StopsWhenInterrupted) {
  for (const int threads : thread_counts) {
    catch_interrupts();
    std::atomic<int> begun = 0;
    const Status status = parallel_for(100, threads, [&](std::size_t, int) -> Status {
      if (++begun == 1) std::raise(SIGINT);
      while (!interrupted()) std::this_thread::yield();
      return {};
    });
    take_interrupt();
    ASSERT_FALSE(status) << threads << " threads";
    EXPECT_EQ(status.error().code, Code::interrupted);
    EXPECT_LE(begun, threads);
  }
}

} // namespace
} // namespace edgec
