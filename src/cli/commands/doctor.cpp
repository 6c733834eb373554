// edgec doctor: what edgec finds on this machine, and what will be slow or fail here and why.
#include <fmt/format.h>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/console.h"
#include "compress/blas.h"
#include "job/version.h"
#include "kernels/isa.h"
#include "support/machine.h"
#include "support/table.h"

namespace edgec::commands {
namespace {

struct Finding {
  std::string code, text, cure; ///< cure: empty where there is none
};

void look_at_processor(Isa isa, std::vector<Finding> &found) {
  if (isa == Isa::scalar)
    found.push_back({"no-avx2", "this processor has no AVX2: networks run many times slower than on others",
                     "compress on another machine; the file is the same for the same --isa"});
  else if (isa < Isa::vnni)
    found.push_back({"no-vnni",
                     "this processor has no VNNI: int8 is seldom faster than float here, and onnxruntime's sums of "
                     "plain int8 files saturate, which costs answers",
                     "--target ort-avx2 writes files that keep their answers here"});
  const Blas blas = running_blas();
  if (!blas.locks)
    found.push_back({"serial-openblas",
                     "libopenblas.so.0 is its serial build, which has no locks: results may be wrong",
                     "install libopenblas0-pthread"});
  if (isa > Isa::scalar && (blas.core == "Prescott" || blas.core == "Generic" || blas.core == "Core2"))
    found.push_back({"old-openblas-core",
                     fmt::format("OpenBLAS takes this processor for a {}: layers are fitted slowly", blas.core),
                     "OPENBLAS_CORETYPE=Haswell in the environment, where the processor has AVX2"});
}

void look_at_room(const Machine &machine, std::vector<Finding> &found) {
  constexpr std::uint64_t little = 1'000'000'000;
  const auto &limits = machine.limits;
  if (limits.processors && *limits.processors < machine.threads)
    found.push_back({"processor-quota",
                     fmt::format("the control group grants {:.3g} processors, and {} threads would share them",
                                 *limits.processors, machine.threads),
                     fmt::format("--threads {}", std::max(1, static_cast<int>(*limits.processors)))});
  else if (machine.threads == 1)
    found.push_back({"one-thread", "one thread: samples are run one after another", ""});
  if (limits.memory_bytes && *limits.memory_bytes < std::min(machine.memory_bytes, little))
    found.push_back({"memory-limit",
                     fmt::format("the control group allows {} of memory", bytes_text(*limits.memory_bytes)),
                     "--max-memory keeps calibration smaller"});
  else if (machine.free_memory_bytes > 0 && machine.free_memory_bytes < little)
    found.push_back({"little-memory", fmt::format("{} of memory are free", bytes_text(machine.free_memory_bytes)),
                     "--max-memory keeps calibration smaller"});
  if (!machine.temporary_writable)
    found.push_back(
        {"no-temporary-folder",
         machine.temporary.empty()
             ? "TMPDIR names no folder: calibration fails where memory is not enough"
             : fmt::format("{} cannot be written: calibration fails where memory is not enough", machine.temporary),
         "set TMPDIR to a folder that can be written"});
  else if (machine.temporary_free_bytes < little)
    found.push_back({"little-temporary-space",
                     fmt::format("{} has {} left for what does not fit in memory", machine.temporary,
                                 bytes_text(machine.temporary_free_bytes)),
                     "set TMPDIR to a folder with more"});
}

std::vector<Finding> findings(const Machine &machine) {
  std::vector<Finding> found;
  look_at_processor(detect_isa(), found);
  look_at_room(machine, found);
  return found;
}

std::string json_text(const Machine &machine, const std::vector<Finding> &found) {
  const auto limit = [](const auto &value) {
    return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json();
  };
  auto slow = nlohmann::ordered_json::array();
  for (const Finding &one : found) slow.push_back({{"code", one.code}, {"text", one.text}, {"cure", one.cure}});
  const nlohmann::ordered_json object{{"schema", "edgec-doctor/1"},
                                      {"made_of", nlohmann::ordered_json::parse(version_text(true))},
                                      {"processor", machine.processor},
                                      {"openblas_core", running_blas().core},
                                      {"threads", machine.threads},
                                      {"processor_quota", limit(machine.limits.processors)},
                                      {"memory_bytes", machine.memory_bytes},
                                      {"free_memory_bytes", machine.free_memory_bytes},
                                      {"memory_limit_bytes", limit(machine.limits.memory_bytes)},
                                      {"temporary_folder", machine.temporary},
                                      {"temporary_free_bytes", machine.temporary_free_bytes},
                                      {"findings", slow}};
  return object.dump(2) + "\n";
}

std::string text(const Machine &machine, const std::vector<Finding> &found) {
  const auto line = [](std::string_view name, const std::string &value) {
    return fmt::format("{:<18}{}\n", name, value);
  };
  const auto &limits = machine.limits;
  std::string result = version_text(false);
  result += line("processor", machine.processor.empty() ? "not known" : machine.processor);
  result += line("OpenBLAS runs as", running_blas().core);
  result +=
      line("threads", fmt::to_string(machine.threads) +
                          (limits.processors ? fmt::format(", {:.3g} processors granted", *limits.processors) : ""));
  result += line("memory",
                 fmt::format("{}, {} free{}", bytes_text(machine.memory_bytes), bytes_text(machine.free_memory_bytes),
                             limits.memory_bytes ? fmt::format(", {} allowed", bytes_text(*limits.memory_bytes)) : ""));
  result +=
      line("temporary files", fmt::format("{}, {} free", machine.temporary, bytes_text(machine.temporary_free_bytes)));
  for (const Finding &one : found)
    result += fmt::format("slow              {}{}\n", one.text, one.cure.empty() ? "" : "; " + one.cure);
  return result + (found.empty() ? "nothing here makes edgec slow\n" : "");
}

CommandRun declare(Options &options) {
  auto json = std::make_shared<bool>(false);
  options.flag("--json", json.get(), "as JSON");
  return [json]() -> Result<Outcome> {
    const Machine machine = this_machine();
    const auto found = findings(machine);
    *json ? print(json_text(machine, found)) : print_text(text(machine, found));
    return Outcome::done;
  };
}

} // namespace

extern const CommandDef doctor;
const CommandDef doctor{"doctor",
                        "Look at this machine: instruction set, libraries, threads, memory; what will be slow, and why",
                        "  edgec doctor --json\n", declare};

} // namespace edgec::commands
