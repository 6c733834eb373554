// What compress and optimize share: reading, writing what came out, reading that back, and saying where it comes from.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "job/flags.h"
#include "job/model_file.h"
#include "measure/report.h"

namespace edgec {

using EffectiveOptions = std::vector<std::pair<std::string, std::string>>;

/// "FOLDER/squeezenet1.1.onnx" and ".edgec.onnx" give "squeezenet1.1.edgec.onnx", in the current folder.
std::string default_output(const std::string &input, const std::string &ending);

/// Error (bad_input) naming the first weight of a layer (OpDef::weights) that holds a NaN or an infinity.
Status check_weights(const Graph &graph);

/// "int8=true range=percentile".
std::string options_text(const EffectiveOptions &options);

/// Puts where the result comes from into the file's metadata: what affects the bytes, and nothing else (no threads,
/// paths or verbosity).
void add_provenance(Model &model, const EffectiveOptions &options, std::uint64_t seed, Isa isa,
                    const std::string &source_sha256);

/// A file that was written, and what it holds when read again.
struct Written {
  std::string path;
  std::uint64_t bytes = 0;
  Model model;
  StoredGraph stored; ///< as the file has it
};
Result<Written> write_and_read_back(const Model &model, const std::string &path, const FormatDef &format,
                                    const FormatWriteOptions &options);

/// A file that is about to be written, and stays only once it has been verified: until keep() is called, an error takes
/// it away again, with a file of weights beside it, and what was there before comes back.
class Unverified {
public:
  explicit Unverified(const std::string &path);
  ~Unverified();
  Unverified(const Unverified &) = delete;
  Unverified &operator=(const Unverified &) = delete;
  void keep() { kept_ = true; }

private:
  struct Replaced {
    std::string path, before; ///< the second name that holds what was there; empty: there was nothing
  };
  std::vector<Replaced> files_;
  bool kept_ = false;
};

/// Figures of a file.
ModelFigures figures_of(const GraphSizes &sizes, const StoredGraph &stored, std::uint64_t bytes);

/// Where a written file has more bytes than the input, how many and on what they are spent; nothing: it has not.
std::optional<std::string> growth_warning(const std::string &input, const Model &source, const Written &written);

Provenance provenance_of(const std::string &command, const EffectiveOptions &options, std::uint64_t seed, Isa isa,
                         const std::string &input, const Model &source, const Written &written);

} // namespace edgec
