// edgec diagnose: why does a quantized network answer otherwise, and what cures it?
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/console.h"
#include "cli/progress.h"
#include "diagnose/diagnose.h"
#include "job/compress_file.h"
#include "job/dataset.h"
#include "job/flags.h"
#include "job/model_file.h"
#include "ops/registry.h"

namespace edgec::commands {
namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  std::string reference, test;
  std::int64_t top = 10, samples = 8;
  bool fix = false, json = false;
  DataFlags data;
  RunFlags run;
  OutputFlags output;
};

/// What became of the float network, compressed with the cure.
struct Fixed {
  std::string path;
  std::vector<std::string> flags;
  std::optional<Fidelity> before; ///< of the file that was diagnosed; nothing: it gives no numbers
  Fidelity after;
};

/// The settings that the words of a cure stand for.
Status take_flags(const std::vector<std::string> &words, CompressFile &file) {
  Options options("compress", "", "");
  declare_schemes(options, file.settings);
  file.scope.declare(options);
  for (const std::string &word : words) {
    const std::size_t space = word.find(' ');
    Option *option = options.find(word.substr(2, space == std::string::npos ? space : space - 2));
    if (option == nullptr) return internal_error("there is no option " + word);
    EDGEC_CHECK(option->assign({space == std::string::npos ? "true" : word.substr(space + 1)}));
    option->given = true;
  }
  file.recorded = options.effective();
  return {};
}

Result<Fidelity> measure(const Arguments &arguments, const Model &reference, const std::string &path,
                         const Dataset &data, Isa isa) {
  EDGEC_ASSIGN(const Model test, read_model(path));
  const FidelityOptions options{.threads = arguments.run.threads(), .isa = isa, .indices = data.indices};
  return measure_fidelity(&reference.graph, test.graph, all_ops(), *data.samples, options);
}

Result<Fixed> fix(const Arguments &arguments, const Diagnosis &diagnosis, const Model &reference, const Dataset &data,
                  Isa isa) {
  Fixed fixed{.path = arguments.output.path, .flags = diagnosis.cure(), .before = std::nullopt, .after = {}};
  if (fixed.path.empty()) fixed.path = std::filesystem::path(arguments.test).stem().string() + ".fixed.onnx";
  CompressFile file;
  file.model = arguments.reference;
  file.path = fixed.path;
  file.force = arguments.output.force;
  file.calib = arguments.data;
  if (file.calib.limit == 0) file.calib.limit = CompressFile().calib.limit;
  file.run = arguments.run;
  EDGEC_CHECK(file.name_output());
  EDGEC_CHECK(take_flags(fixed.flags, file));
  ProgressLine line(file.steps());
  EDGEC_CHECK(compress_file(file, line));
  line.begin("verifying");
  if (auto before = measure(arguments, reference, arguments.test, data, isa)) fixed.before = *std::move(before);
  EDGEC_ASSIGN(fixed.after, measure(arguments, reference, fixed.path, data, isa));
  return fixed;
}

std::string figures(const std::optional<Fidelity> &fidelity) {
  if (!fidelity) return "no numbers";
  const std::string sqnr = std::isinf(fidelity->sqnr_db()) ? "equal" : fmt::format("{:.1f} dB", fidelity->sqnr_db());
  return fidelity->agreement() ? fmt::format("agreement {:.2f} %, {}", 100 * *fidelity->agreement(), sqnr) : sqnr;
}

std::string fixed_text(const Fixed &fixed, const Dataset &data) {
  return fmt::format("fixed: {} with {}\n  {} -> {}, on {}\n", fixed.path, fmt::join(fixed.flags, " "),
                     figures(fixed.before), figures(fixed.after), data.description);
}

Json to_json(const Fixed &fixed) {
  const auto one = [](const std::optional<Fidelity> &fidelity) -> Json {
    if (!fidelity) return {};
    const double sqnr = fidelity->sqnr_db();
    return {{"agreement", fidelity->agreement() ? Json(*fidelity->agreement()) : Json()},
            {"sqnr_db", std::isfinite(sqnr) ? Json(sqnr) : Json()}};
  };
  return {{"output", fixed.path}, {"flags", fixed.flags}, {"before", one(fixed.before)}, {"after", one(fixed.after)}};
}

Result<Outcome> run(const Arguments &arguments) {
  auto line = std::make_unique<ProgressLine>(std::vector<ProgressStep>{{"reading", 1}, {"trying tensors", 30}});
  line->begin("reading");
  EDGEC_ASSIGN(const Isa isa, arguments.run.isa());
  EDGEC_ASSIGN(const Model reference, read_model(arguments.reference));
  EDGEC_ASSIGN(const Model test, read_model(arguments.test));
  if (arguments.fix)
    EDGEC_CHECK(check_output(arguments.output.path.empty() ? "x.onnx" : arguments.output.path,
                             std::vector{arguments.reference, arguments.test}, true));
  EDGEC_ASSIGN(const Dataset data, open_dataset(arguments.data, reference.graph, arguments.run.seed));
  DiagnoseOptions options;
  options.running.threads = arguments.run.threads();
  options.running.isa = isa;
  options.running.indices =
      std::span(data.indices).first(std::min(data.indices.size(), static_cast<std::size_t>(arguments.samples)));
  options.progress = [&](std::size_t done, std::size_t all) { line->show("trying tensors", done, all); };
  auto found = diagnose(reference, test, all_ops(), *data.samples, options);
  if (!found) return std::move(found).error().in(arguments.test);
  line.reset();
  std::optional<Fixed> fixed;
  const bool curable = !found->cure().empty();
  if (arguments.fix && curable) {
    EDGEC_ASSIGN(fixed, fix(arguments, *found, reference, data, isa));
  }
  if (arguments.json) {
    Json object = Json::parse(diagnosis_json(*found));
    object["data"] = data.description;
    object["fix"] = fixed ? to_json(*fixed) : Json();
    print(object.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  } else {
    print_text(fmt::format("{} against {} on {} of {}\n{}{}", arguments.test, arguments.reference,
                           options.running.indices.size(), data.description,
                           diagnosis_text(*found, static_cast<std::size_t>(arguments.top), output_width()),
                           fixed ? fixed_text(*fixed, data) : ""));
  }
  return Outcome::done;
}

CommandRun declare(Options &options) {
  auto arguments = std::make_shared<Arguments>();
  options.argument("FP32", &arguments->reference, "the float network, .onnx or .edgec");
  options.argument("MODEL", &arguments->test, "the same quantized, or in half precision, by edgec or others");
  arguments->data.declare(options, false);
  options.group("Diagnosing");
  options.add("--samples", "N", &arguments->samples, "of --data, that each trial runs").between(1, 1e6);
  options.add("--top", "N", &arguments->top, "list so many tensors, those that cost most; 0: all").between(0, 1e9);
  options.flag("--fix", &arguments->fix,
               "compress FP32 with the cure, calibrated on --data, and measure what it brings");
  arguments->output.declare(options, "the file that --fix writes (default STEM.fixed.onnx in the current folder)");
  arguments->run.declare(options);
  options.flag("--json", &arguments->json, "as JSON (src/diagnose/diagnosis.schema.json)");
  return [arguments] { return run(*arguments); };
}

} // namespace

extern const CommandDef diagnose;
const CommandDef diagnose{"diagnose",
                          "Why does a quantized network answer otherwise? Error by tensor, causes, the flags that cure",
                          "  edgec diagnose model.onnx model.int8.onnx --data x.npz\n"
                          "  edgec diagnose model.onnx other_tools.onnx --data images/ --preprocess imagenet --fix -o "
                          "fixed.onnx\n",
                          declare};

} // namespace edgec::commands
