// Compresses a network to int8 and tells its size and how many answers stay: example MODEL SAMPLES OUTPUT
#include <cstdio>
#include <iostream>

#include "job/compress_file.h"

namespace {

/// A step of the work on its line.
class Steps : public edgec::ProgressSink {
public:
  void show(std::string_view what, std::size_t done, std::size_t all) override {
    if (done == all) std::clog << what << '\n';
  }
};

int fail(const edgec::Error &error) {
  std::cerr << error.message << '\n';
  return static_cast<int>(error.code);
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  edgec::CompressFile file;
  file.model = argv[1];
  file.calib.path = argv[2];
  file.path = argv[3];
  file.force = true;
  // Options are those of the command line, by the same names (edgec passes --options).
  edgec::Options options("compress", "", "");
  edgec::declare_schemes(options, file.settings);
  if (const auto set = options.find("int8")->assign({"static"}); !set) return fail(set.error());
  if (const auto named = file.name_output(); !named) return fail(named.error());

  Steps steps;
  const auto done = edgec::compress_file(file, steps);
  if (!done) return fail(done.error());
  const edgec::Report &report = done->report;
  std::printf("%llu -> %llu bytes, agreement %.1f %%\n", static_cast<unsigned long long>(report.before->bytes),
              static_cast<unsigned long long>(report.after->bytes),
              100 * report.verified->fidelity.agreement().value_or(0));
  return done->met ? 0 : 1;
}
