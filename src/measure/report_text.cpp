// The report for people.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <functional>

#include "measure/fidelity_text.h"
#include "measure/report.h"
#include "support/table.h"

namespace edgec {
namespace {

/// What became of a figure, as a share of what it was.
std::string of_before(double before, double after) { return percent(after, before); }

std::string millions(double macs) { return macs > 0 ? fmt::format("{:.1f} M", macs / 1e6) : "-"; }

std::string points(double before, double after) { return fmt::format("{:+.2f} points", 100 * (after - before)); }

void add_sizes(Table &table, const ModelFigures &before, const ModelFigures &after) {
  const auto row = [&](const char *name, std::string was, std::string is, double b, double a) {
    table.add({name, std::move(was), std::move(is), of_before(b, a)});
  };
  const auto whole = [](std::uint64_t number) { return static_cast<double>(number); };
  row("size", bytes_text(before.bytes), bytes_text(after.bytes), whole(before.bytes), whole(after.bytes));
  row("parameters", grouped(before.parameters), grouped(after.parameters), whole(before.parameters),
      whole(after.parameters));
  row("non-zero", grouped(before.nonzero_parameters), grouped(after.nonzero_parameters),
      whole(before.nonzero_parameters), whole(after.nonzero_parameters));
  row("bits each", fmt::format("{:.1f}", before.bits()), fmt::format("{:.1f}", after.bits()), before.bits(),
      after.bits());
  row("MACs", millions(before.macs), millions(after.macs), before.macs, after.macs);
  row("nodes", grouped(before.nodes), grouped(after.nodes), whole(before.nodes), whole(after.nodes));
}

void add_accuracy(Table &table, const Fidelity &fidelity) {
  if (!fidelity.test_accuracy) return;
  const Accuracy &after = *fidelity.test_accuracy;
  const Accuracy &before = fidelity.reference_accuracy ? *fidelity.reference_accuracy : after;
  const auto row = [&](const char *name, double was, double is) {
    table.add({name, fidelity.reference_accuracy ? fmt::format("{:.2f} %", 100 * was) : "-",
               fmt::format("{:.2f} %", 100 * is), fidelity.reference_accuracy ? points(was, is) : ""});
  };
  row("top-1", before.top1_share(), after.top1_share());
  row("top-5", before.top5_share(), after.top5_share());
}

void add_latency(Table &table, const Report &report) {
  if (!report.latency_after) return;
  const auto text = [](const std::optional<LatencyFigures> &l) {
    return l ? fmt::format("{:.2f} ms", l->median_ms) : "-";
  };
  const double before = report.latency_before ? report.latency_before->median_ms : 0;
  table.add({"latency", text(report.latency_before), text(report.latency_after),
             before > 0 ? fmt::format("{:.2f}x", before / report.latency_after->median_ms) : ""});
}

std::string comparison_text(const Report &report, std::size_t width) {
  Table table({"", "before", "after", ""});
  if (report.before && report.after) add_sizes(table, *report.before, *report.after);
  if (report.evaluated) add_accuracy(table, report.evaluated->fidelity);
  add_latency(table, report);
  std::string text = table.empty() ? "" : table.text(width);
  if (report.evaluated && report.evaluated->fidelity.test_accuracy)
    text += fmt::format("top-1 and top-5 on {}\n", report.evaluated->samples);
  return text;
}

std::string passes_text(const Report &report, bool verbose) {
  std::string text;
  for (const PassFigures &pass : report.passes) {
    std::size_t done = 0, skipped = 0;
    for (const NoteFigures &note : pass.notes) (note.skipped ? skipped : done) += 1;
    if (!verbose && !pass.changed && pass.notes.empty()) continue;
    text += fmt::format("  {:<24} {}  {:.2f} s", pass.name, pass.changed ? "changed  " : "unchanged", pass.seconds);
    if (done > 0) text += fmt::format(", {} done", done);
    if (skipped > 0) text += fmt::format(", {} left as they were", skipped);
    text += '\n';
    for (const NoteFigures &note : pass.notes)
      if (verbose || pass.notes.size() <= 3 || (note.node.empty() && !note.skipped))
        text += fmt::format("    {}{}{}{}\n", note.skipped ? "left " : "", note.node, note.node.empty() ? "" : ": ",
                            note.text);
  }
  return text.empty() ? text : "passes\n" + text;
}

std::string remarks(const LayerFigures &layer) {
  const std::string kind = layer.integer ? "int" : "";
  return layer.remark.empty() ? kind : kind.empty() ? layer.remark : kind + ", " + layer.remark;
}

std::string layers_text(const Report &report, std::size_t width) {
  Table table({"layer", "operator", "parameters", "bits", "zeros", "distinct", "MACs", "SQNR", ""});
  for (const LayerFigures &layer : report.layers)
    table.add({layer.name, layer.op, grouped(layer.parameters), fmt::format("{:.1f}", layer.bits),
               percent(static_cast<double>(layer.zeros), static_cast<double>(layer.parameters)),
               grouped(layer.distinct), layer.macs ? millions(*layer.macs) : "-",
               layer.sqnr_db ? fmt::format("{:.1f} dB", *layer.sqnr_db) : "-", remarks(layer)});
  return table.empty() ? "" : table.text(width);
}

std::string left_float_text(const Report &report, bool verbose) {
  constexpr std::size_t few = 5;
  std::vector<const LayerFigures *> layers;
  for (const LayerFigures &layer : report.layers)
    if (!layer.left_float.empty()) layers.push_back(&layer);
  std::ranges::stable_sort(layers, std::ranges::greater(), &LayerFigures::float_bytes);
  std::string text;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const LayerFigures &layer = *layers[i];
    if (!verbose && i == few) {
      text += fmt::format("  and {} smaller ones (-v lists them)\n", layers.size() - few);
      break;
    }
    text += fmt::format("  {} ({}): ", layer.name, layer.op);
    if (layer.float_bytes > 0) text += bytes_text(layer.float_bytes) + " float";
    const std::uint64_t file = report.after ? report.after->bytes : 0;
    if (layer.float_bytes > 0 && layer.float_bytes <= file)
      text +=
          fmt::format(", {} of the file", percent(static_cast<double>(layer.float_bytes), static_cast<double>(file)));
    text += fmt::format("{}{}\n", layer.float_bytes > 0 ? ": " : "", layer.left_float);
  }
  return text.empty() ? text : "left float\n" + text;
}

std::string budgets_text(const Report &report) {
  std::string text;
  for (const BudgetFigures &budget : report.budgets) {
    text += fmt::format("{} {:.10g}{}{}: {} with {}", budget.name, budget.limit, budget.metric.empty() ? "" : " of ",
                        budget.metric, budget.met ? "met" : "MISSED", found_text(budget));
    if (budget.bound)
      text += fmt::format(" on {} answers; with 95 % confidence at most {:.2g}", budget.answers, *budget.bound);
    text += '\n';
  }
  return text;
}

std::string list_text(const char *title, const std::vector<std::string> &lines) {
  std::string text;
  for (const std::string &line : lines) text += fmt::format("{}: {}\n", title, line);
  return text;
}

std::string verified_text(const Report &report) {
  if (!report.verified)
    return fmt::format("NOT VERIFIED{}: {}\n", report.made_up ? " ON REAL DATA" : "",
                       report.unverified.empty() ? "no data" : report.unverified);
  const MeasuredFidelity &measured = *report.verified;
  const Fidelity &fidelity = measured.fidelity;
  const auto sqnr = fidelity.logits.noise.sqnr_db();
  std::string text = "error     ";
  if (fidelity.agreement()) text += fmt::format("agreement {:.2f} %, ", 100 * *fidelity.agreement());
  text += fmt::format("SQNR of the {} {}", fidelity.agreement() ? "logits" : "output that lost most",
                      sqnr ? fmt::format("{:.1f} dB", *sqnr) : "infinite (equal)");
  if (sqnr && fidelity.median_sqnr_db) text += fmt::format(" (median sample {:.1f} dB)", *fidelity.median_sqnr_db);
  text += fmt::format(", against {} on {}\n", measured.reference, measured.samples);
  if (measured.synthetic) text += "NOT VERIFIED ON REAL DATA: these figures rest on synthetic inputs\n";
  for (const OutputNoise &output : fidelity.outputs)
    if (fidelity.outputs.size() > 1) text += fmt::format("          {}: {}\n", output.name, sqnr_text(output.noise));
  return text;
}

std::string summary_text(const Report &report) {
  std::string text;
  if (report.before && report.after && report.after->bytes > 0)
    text += fmt::format("size      {} -> {}, {:.2f}x smaller\n", bytes_text(report.before->bytes),
                        bytes_text(report.after->bytes),
                        static_cast<double>(report.before->bytes) / static_cast<double>(report.after->bytes));
  text += verified_text(report);
  for (const std::string &line : report.next) text += fmt::format("try next  {}\n", line);
  return text;
}

} // namespace

std::string found_text(const BudgetFigures &budget) {
  return std::isnan(budget.found) ? "nothing that can be counted" : fmt::format("{:.10g}", budget.found);
}

// Warnings are messages and not repeated here.
std::string report_text(const Report &report, bool verbose, std::size_t width) {
  std::string text = report.provenance.input;
  if (!report.provenance.output.empty()) text += " -> " + report.provenance.output;
  if (!text.empty()) text += '\n';
  text += list_text("note", report.notes);
  text += passes_text(report, verbose);
  if (verbose) text += layers_text(report, width);
  text += left_float_text(report, verbose) + comparison_text(report, width);
  if (report.seconds > 0)
    text += fmt::format("{:.1f} s{}\n", report.seconds,
                        report.peak_memory_bytes > 0
                            ? fmt::format(", at most {} of memory", bytes_text(report.peak_memory_bytes))
                            : "");
  text += budgets_text(report);
  return text + summary_text(report);
}

} // namespace edgec
