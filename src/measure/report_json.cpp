// The report for machines; report.schema.json describes it.
#include <cmath>
#include <nlohmann/json.hpp>

#include "measure/fidelity_text.h"
#include "measure/report.h"

namespace edgec {
namespace {

using Json = nlohmann::ordered_json;

Json finite(double number) { return std::isfinite(number) ? Json(number) : Json(); }
Json finite(std::optional<double> number) { return number ? finite(*number) : Json(); }

Json to_json(const Provenance &provenance) {
  Json options = Json::object();
  for (const auto &[key, value] : provenance.options) options[key] = value;
  const auto text = [](const std::string &value) { return value.empty() ? Json() : Json(value); };
  return {{"program", provenance.program},     {"version", provenance.version},
          {"command", provenance.command},     {"options", std::move(options)},
          {"seed", provenance.seed},           {"isa", provenance.isa},
          {"input", text(provenance.input)},   {"input_sha256", text(provenance.input_sha256)},
          {"output", text(provenance.output)}, {"output_sha256", text(provenance.output_sha256)}};
}

Json to_json(const ModelFigures &model) {
  return {{"bytes", model.bytes},
          {"parameters", model.parameters},
          {"nonzero_parameters", model.nonzero_parameters},
          {"parameter_bytes", model.parameter_bytes},
          {"bits_per_parameter", model.bits()},
          {"macs", finite(model.macs)},
          {"nodes", model.nodes}};
}

Json to_json(const MeasuredFidelity &measured) {
  Json object{{"data", measured.samples},
              {"reference", measured.reference.empty() ? Json() : Json(measured.reference)},
              {"synthetic", measured.synthetic}};
  object.update(to_json(measured.fidelity));
  return object;
}

Json to_json(const LatencyFigures &latency) {
  return {{"threads", latency.threads},
          {"runs", latency.runs},
          {"median_ms", finite(latency.median_ms)},
          {"p90_ms", finite(latency.p90_ms)},
          {"minimum_ms", finite(latency.minimum_ms)}};
}

Json to_json(const PassFigures &pass) {
  Json notes = Json::array();
  for (const NoteFigures &note : pass.notes)
    notes.push_back({{"node", note.node}, {"text", note.text}, {"skipped", note.skipped}});
  return {
      {"name", pass.name}, {"changed", pass.changed}, {"seconds", finite(pass.seconds)}, {"notes", std::move(notes)}};
}

Json to_json(const Histogram &histogram) {
  if (histogram.empty()) return {};
  return {{"low", finite(histogram.low)}, {"high", finite(histogram.high)}, {"counts", histogram.counts}};
}

Json to_json(const LayerBytes &layer) {
  return {{"name", layer.name}, {"operator", layer.op}, {"parameters", layer.parameters}, {"bytes", layer.bytes}};
}

Json to_json(const NodeFigures &node) {
  return {{"name", node.name},
          {"operator", node.op},
          {"number", node.number},
          {"inputs", node.inputs},
          {"sqnr_db", finite(node.sqnr_db)}};
}

Json to_json(const ActivationFigures &value) {
  return {{"name", value.name},
          {"node", value.node},
          {"bits", value.bits},
          {"low", finite(value.low)},
          {"high", finite(value.high)},
          {"minimum", finite(value.minimum)},
          {"maximum", finite(value.maximum)},
          {"clipped", finite(value.clipped)},
          {"seen", to_json(value.seen)}};
}

Json to_json(const LayerFigures &layer) {
  return {{"name", layer.name},
          {"operator", layer.op},
          {"parameters", layer.parameters},
          {"zeros", layer.zeros},
          {"distinct", layer.distinct},
          {"bits_per_parameter", finite(layer.bits)},
          {"bytes", layer.bytes},
          {"float_bytes", layer.float_bytes},
          {"macs", finite(layer.macs)},
          {"integer", layer.integer},
          {"sqnr_db", finite(layer.sqnr_db)},
          {"remark", layer.remark.empty() ? Json() : Json(layer.remark)},
          {"left_float", layer.left_float.empty() ? Json() : Json(layer.left_float)},
          {"weights", to_json(layer.weights)}};
}

Json to_json(const ClassPair &pair) { return {{"before", pair.before}, {"after", pair.after}, {"count", pair.count}}; }

Json to_json(const ChangedSample &sample) {
  const auto text = [](const std::string &value) { return value.empty() ? Json() : Json(value); };
  return {{"name", sample.name},         {"before", sample.before},     {"after", sample.after},
          {"right", text(sample.right)}, {"lead", finite(sample.lead)}, {"lead_now", finite(sample.lead_now)},
          {"jpeg", text(sample.picture)}};
}

Json to_json(const BudgetFigures &budget) {
  Json json{
      {"name", budget.name}, {"limit", finite(budget.limit)}, {"found", finite(budget.found)}, {"met", budget.met}};
  if (budget.bound) json["bound"] = *budget.bound, json["answers"] = budget.answers;
  if (!budget.metric.empty()) json["metric"] = budget.metric;
  return json;
}

template <class T>
Json list(const std::vector<T> &values) {
  Json array = Json::array();
  for (const T &value : values) array.push_back(to_json(value));
  return array;
}

Json to_json(const AnswerChanges &changes) {
  const auto count = [](std::optional<std::size_t> samples) { return samples ? Json(*samples) : Json(); };
  return {{"samples", changes.samples},      {"changed", changes.changed},   {"lost", count(changes.lost)},
          {"gained", count(changes.gained)}, {"pairs", list(changes.pairs)}, {"shown", list(changes.shown)}};
}

template <class T>
Json or_null(const std::optional<T> &value) {
  return value ? to_json(*value) : Json();
}

} // namespace

std::string report_json(const Report &report) {
  const Json object{{"schema", "edgec-report/1"},
                    {"provenance", to_json(report.provenance)},
                    {"before", or_null(report.before)},
                    {"after", or_null(report.after)},
                    {"verified", or_null(report.verified)},
                    {"unverified", report.unverified},
                    {"evaluated", or_null(report.evaluated)},
                    {"changes", or_null(report.changes)},
                    {"latency_before", or_null(report.latency_before)},
                    {"latency_after", or_null(report.latency_after)},
                    {"peak_memory_bytes", report.peak_memory_bytes > 0 ? Json(report.peak_memory_bytes) : Json()},
                    {"seconds", finite(report.seconds)},
                    {"passes", list(report.passes)},
                    {"layers", list(report.layers)},
                    {"layers_before", list(report.layers_before)},
                    {"nodes", list(report.nodes)},
                    {"activations", list(report.activations)},
                    {"search", or_null(report.search)},
                    {"budgets", list(report.budgets)},
                    {"notes", report.notes},
                    {"warnings", report.warnings},
                    {"next", report.next}};
  return object.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; // names in files need not be UTF-8
}

} // namespace edgec
