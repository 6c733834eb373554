// A job: one network compressed under one setting, named by what decides its result.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "batch/identity.h"
#include "batch/sweep_file.h"
#include "support/option.h"

namespace edgec {

struct SweepJob {
  std::string key; ///< digest of the network, the options, the samples and the program's version
  std::string network;
  std::vector<std::pair<std::string, std::string>>
      shown;                         ///< options that jobs differ in; those without effect left out
  std::vector<std::string> words;    ///< behind "edgec compress": the network and its options
  std::string output = "model.onnx"; ///< name of the file that it writes
};

/// The options of compress with nothing given yet; they stay alive with what they are bound to.
using MakeOptions = std::function<std::shared_ptr<Options>()>;

class JobMaker {
public:
  JobMaker(MakeOptions options, std::vector<std::string> varied)
      : make_(std::move(options)), varied_(std::move(varied)) {}

  /// Options that have no effect beside the others are left out: combinations that come to the same thing have the same
  /// key. Errors (usage) name the option: not known, not for sweeps, a value that does not fit; (bad_input) a file that
  /// cannot be read.
  Result<SweepJob> job(const Combination &combination);

private:
  MakeOptions make_;
  std::vector<std::string> varied_;
  Identities identities_;
};

/// The jobs of all combinations, each key once, in their order.
Result<std::vector<SweepJob>> jobs_of(const std::vector<Combination> &combinations, JobMaker &maker);
Result<std::vector<SweepJob>> jobs_of(const SweepFile &sweep, const MakeOptions &options);

} // namespace edgec
