// edgec run: one call of a network on given inputs, or several of a recurrent one; outputs into a file or printed.
#include <cmath>
#include <fmt/format.h>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/console.h"
#include "cli/steps.h"
#include "data/npy.h"
#include "data/preprocess_help.h"
#include "job/dataset.h"
#include "job/edit_flags.h"
#include "job/flags.h"
#include "job/model_file.h"
#include "measure/fidelity.h"
#include "ops/registry.h"
#include "runtime/plan.h"
#include "support/nearest.h"
#include "support/text.h"

namespace edgec::commands {
namespace {

using Json = nlohmann::ordered_json;
using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

struct Arguments {
  std::string model, preprocess;
  std::vector<std::string> inputs, sequences, feeds;
  std::int64_t steps = 0;
  OutputFlags output;
  RunFlags run;
  EditFlags edits;
  bool json = false, reference_kernels = false;
};

struct InputFile {
  std::size_t input; ///< of the network
  std::string path;
};

/// Takes "NAME=FILE" apart; where the network has one input, "FILE" alone will do.
Result<InputFile> parse_input(std::string_view flag, const std::string &text, std::span<const InputSpec> specs) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < specs.size(); ++i) {
    if (text.starts_with(specs[i].name + "=")) return InputFile{i, text.substr(specs[i].name.size() + 1)};
    names.push_back(specs[i].name);
  }
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos && specs.size() == 1) return InputFile{0, text};
  if (equals == std::string::npos) return usage_error(fmt::format("{}: '{}' does not read NAME=FILE", flag, text));
  const std::string name = text.substr(0, equals);
  return usage_error(fmt::format("{}: the network has no input '{}'{}", flag, name, did_you_mean(name, names)));
}

/// All steps' inputs of a flag's file: one more axis than the network asks for, the first.
Result<std::pair<std::size_t, Tensor>> load_sequence(const std::string &text, std::span<const InputSpec> specs) {
  EDGEC_ASSIGN(const InputFile file, parse_input("--sequence", text, specs));
  InputSpec all = specs[file.input];
  if (all.type.shape) all.type.shape->insert(all.type.shape->begin(), Dim::unknown());
  EDGEC_ASSIGN(Tensor tensor, load_input(file.path, all, std::nullopt));
  if (tensor.rank() < 1 || tensor.dims[0] < 1 || tensor.dtype == DType::string || bits(tensor.dtype) % 8 != 0)
    return bad_input(fmt::format("{}: {} has no steps", file.path, to_string(Type::of(tensor))));
  return std::pair(file.input, std::move(tensor));
}

/// The inputs of the first step, and what --sequence, --feed and --steps say of others.
Result<Steps> load_inputs(const Arguments &arguments, const Graph &graph) {
  const auto specs = input_specs(graph);
  EDGEC_ASSIGN(const auto preprocess, parse_preprocess(arguments.preprocess));
  std::vector<std::optional<Tensor>> found(specs.size());
  Steps steps;
  steps.count = arguments.steps;
  EDGEC_ASSIGN(steps.feeds, parse_feeds(arguments.feeds, graph));
  for (const std::string &text : arguments.sequences) {
    EDGEC_ASSIGN(auto sequence, load_sequence(text, specs));
    const std::int64_t length = sequence.second.dims[0];
    if (steps.count == 0) steps.count = length;
    if (length < steps.count)
      return usage_error(fmt::format("--sequence: '{}' has {} steps, {} are run", text, length, steps.count));
    found[sequence.first] = Tensor(sequence.second); // replaced at each step
    steps.sequences.push_back(std::move(sequence));
  }
  for (const std::string &text : arguments.inputs) {
    EDGEC_ASSIGN(const InputFile input, parse_input("--input", text, specs));
    if (found[input.input])
      return usage_error(fmt::format("--input: '{}' is given more than once", specs[input.input].name));
    const bool full = input.path.starts_with("full:");
    EDGEC_ASSIGN(found[input.input], full ? filled_input(input.path, specs[input.input])
                                          : load_input(input.path, specs[input.input], preprocess));
  }
  for (std::size_t i = 0; i < specs.size(); ++i) {
    if (!found[i])
      return usage_error(
          fmt::format("--input {}=FILE is missing: the network takes {}", specs[i].name, to_string(specs[i].type)));
    steps.first.push_back(*std::move(found[i]));
  }
  if (preprocess) say(values_text(steps.first, specs));
  return steps;
}

constexpr std::int64_t most_printed = 100;

std::string text_of(const NamedTensors &outputs) {
  std::string text;
  for (const auto &[name, tensor] : outputs) {
    text += fmt::format("{}  {}\n", name, to_string(Type::of(tensor)));
    if (tensor.dtype == DType::string) {
      for (const std::string &entry : *tensor.strings) text += "  " + entry + "\n";
      continue;
    }
    const auto values = to_doubles(tensor);
    const auto shown = std::min<std::size_t>(values.size(), most_printed);
    for (std::size_t i = 0; i < shown; ++i)
      text += fmt::format("{}{:.7g}{}", i % 10 == 0 ? "  " : " ", values[i], i % 10 == 9 || i + 1 == shown ? "\n" : "");
    if (shown < values.size()) text += fmt::format("  ... {} more; -o FILE.npz keeps all\n", values.size() - shown);
  }
  return text;
}

std::string json_of(const NamedTensors &outputs) {
  Json list = Json::array();
  for (const auto &[name, tensor] : outputs) {
    Json values = Json::array();
    if (tensor.dtype == DType::string)
      values = *tensor.strings;
    else
      for (const double value : to_doubles(tensor)) values.push_back(std::isfinite(value) ? Json(value) : Json());
    list.push_back({{"name", name}, {"type", to_string(Type::of(tensor))}, {"dims", tensor.dims}, {"values", values}});
  }
  const Json object{{"schema", "edgec-run/1"}, {"outputs", std::move(list)}};
  return object.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Status write_outputs(const NamedTensors &outputs, const OutputFlags &to) {
  if (lower_ending(to.path) == ".npz") return save_npz(to.path, outputs, to.force);
  if (outputs.size() != 1)
    return usage_error(
        fmt::format("{}: a .npy holds one array, the network has {} outputs; name it .npz", to.path, outputs.size()));
  return save_npy(to.path, outputs.front().second, to.force);
}

Status check_arguments(const Arguments &arguments) {
  if (!arguments.feeds.empty() && arguments.sequences.empty() && arguments.steps == 0)
    return usage_error("--feed: how many steps? give --steps N, or --sequence");
  if (arguments.output.path.empty()) return {};
  constexpr std::string_view endings[] = {".npy", ".npz"};
  EDGEC_CHECK(check_ending(arguments.output.path, endings));
  std::vector<std::string> inputs{arguments.model};
  for (const std::string &input : arguments.inputs) inputs.push_back(input.substr(input.find('=') + 1));
  return check_output(arguments.output.path, inputs, arguments.output.force);
}

Result<NamedTensors> run_network(Runner &runner, const Steps &steps) {
  if (steps.count > 0) return run_steps(runner, steps);
  EDGEC_ASSIGN(const auto tensors, runner.run_tensors(steps.first));
  NamedTensors outputs;
  for (std::size_t i = 0; i < tensors.size(); ++i) outputs.emplace_back(runner.graph().outputs()[i].name, tensors[i]);
  return outputs;
}

Result<Outcome> run_once(const Arguments &arguments) {
  EDGEC_CHECK(check_arguments(arguments));
  EDGEC_ASSIGN(const Isa isa, arguments.run.isa());
  EDGEC_ASSIGN(const Model model, read_model(arguments.model, {}, &arguments.edits));
  EDGEC_ASSIGN(const auto inputs, load_inputs(arguments, model.graph));
  PlanOptions options;
  options.isa = isa;
  options.threads = arguments.run.threads();
  options.reference = arguments.reference_kernels;
  Runner runner(model.graph, all_ops(), options);
  EDGEC_ASSIGN(const NamedTensors outputs, run_network(runner, inputs).in(arguments.model));
  if (!arguments.output.path.empty()) EDGEC_CHECK(write_outputs(outputs, arguments.output));
  if (arguments.json)
    print(json_of(outputs));
  else if (arguments.output.path.empty())
    print_text(text_of(outputs));
  return Outcome::done;
}

CommandRun declare(Options &options) {
  auto arguments = std::make_shared<Arguments>();
  options.argument("MODEL", &arguments->model, "the network, .onnx or .edgec");
  options.group("Data");
  options.add("-i,--input", "NAME=FILE", &arguments->inputs,
              "an input from .npy, .npz, .pb or an image, or full:VALUE or full:VALUE:2x3; once for each input");
  options.add("--sequence", "NAME=FILE", &arguments->sequences,
              "an input for each of several steps, along the first axis of a .npy or .npz; may be given again");
  options.add("--feed", "OUT=IN", &arguments->feeds,
              "an output, or argmax(OUT), is an input of the next step; outputs that are not fed are printed for all "
              "steps; may be given again");
  options.add("--steps", "N", &arguments->steps, "so many steps (default as many as --sequence has)").between(0, 1e9);
  options.add("--preprocess", "P", &arguments->preprocess, preprocess_flag_help);
  arguments->output.declare(options, "write the outputs to a .npz, or a single one to a .npy (default: print them)");
  arguments->run.declare(options);
  arguments->edits.declare_fixed(options);
  options.flag("--reference-kernels", &arguments->reference_kernels,
               "run the plain definition of every operator (slow)");
  options.flag("--json", &arguments->json, "print the outputs as JSON");
  return [arguments] { return run_once(*arguments); };
}

} // namespace

extern const CommandDef run;
const CommandDef run{"run", "Run a network once and print its outputs or write them as .npy or .npz",
                     "  edgec run model.onnx --input x=x.npy\n"
                     "  edgec run model.edgec --input photo.jpg --preprocess imagenet -o y.npz\n"
                     "  edgec run speech.onnx --sequence x=frames.npy --input h=full:0:1x64 --feed hn=h -o y.npz\n",
                     declare};

} // namespace edgec::commands
