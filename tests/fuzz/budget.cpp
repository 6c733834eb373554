// Linked into the real fuzzers around LLVMFuzzerTestOneInput (ld --wrap): an input may take at most two seconds of
// processor time, sanitizers included. libFuzzer's own limit goes by the clock, which also runs while others run.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>

extern "C" int __real_LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size);

namespace {

double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

} // namespace

extern "C" int __wrap_LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  static bool first = true; // tables are made by the first call
  const double start = processor_seconds();
  const int kept = __real_LLVMFuzzerTestOneInput(data, size);
  const double seconds = processor_seconds() - start;
  if (seconds > 2 && !first) {
    std::fprintf(stderr, "%.1f seconds for an input of %zu bytes\n", seconds, size);
    std::abort();
  }
  first = false;
  return kept;
}
