// The diagnosis for people, and for machines as diagnosis.schema.json describes it.
#include <cmath>
#include <nlohmann/json.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "diagnose/diagnose.h"
#include "measure/fidelity_text.h"
#include "support/table.h"

namespace edgec {
namespace {

using Json = nlohmann::ordered_json;

std::string decibels(double db) {
  if (std::isinf(db)) return db > 0 ? "equal" : "no numbers";
  return fmt::format("{:.1f} dB", db);
}

Json number(double db) { return std::isfinite(db) ? Json(db) : Json(); }

std::string tensors_text(const Diagnosis &diagnosis, std::size_t most, std::size_t width) {
  Table table({"node", "operator", "tensor", "", "alone", "without", "cause", ""});
  std::size_t shown = 0;
  for (const TensorFinding &one : diagnosis.tensors) {
    if (most > 0 && shown == most) break;
    ++shown;
    table.add({one.node, one.op, one.role, one.dtype, decibels(one.alone_db), decibels(one.without_db),
               std::string(definition(one.cause.kind).name), one.cause.text});
  }
  std::string text = table.empty() ? "" : table.text(width);
  if (shown < diagnosis.tensors.size())
    text += fmt::format("and {} tensors more (--top 0 lists them)\n", diagnosis.tensors.size() - shown);
  return text;
}

std::string cause_text(const Diagnosis &diagnosis, const CauseFinding &cause) {
  constexpr std::size_t few = 3;
  const CauseDef &def = definition(cause.kind);
  std::vector<std::string> nodes;
  for (const std::size_t k : cause.tensors)
    if (nodes.size() < few) nodes.push_back(diagnosis.tensors[k].node);
  return fmt::format("{}: {} ({}{}): alone {}, all but these {}\n  {}\n", cause.matters ? "CAUSE" : "minor", def.name,
                     fmt::join(nodes, ", "),
                     cause.tensors.size() > few ? fmt::format(" and {} more", cause.tensors.size() - few) : "",
                     decibels(cause.alone_db), decibels(cause.without_db), def.meaning);
}

} // namespace

std::string diagnosis_text(const Diagnosis &diagnosis, std::size_t most, std::size_t width) {
  std::string text;
  if (diagnosis.fidelity.compared) text += fidelity_text(diagnosis.fidelity);
  text +=
      fmt::format("each of {} rounded tensors alone, and all but it; SQNR of the answers with all {}, with none {}\n",
                  diagnosis.tensors.size(), decibels(diagnosis.rounded_db), decibels(diagnosis.real_db));
  text += tensors_text(diagnosis, most, width);
  for (const CauseFinding &cause : diagnosis.causes) text += cause_text(diagnosis, cause);
  for (const std::string &note : diagnosis.notes) text += "note: " + note + "\n";
  if (const auto cure = diagnosis.cure(); !cure.empty())
    text += fmt::format("cure: compress the float network with {}\n", fmt::join(cure, " "));
  return text;
}

std::string diagnosis_json(const Diagnosis &diagnosis) {
  Json object{{"schema", "edgec-diagnose/1"}};
  object["file"] = diagnosis.fidelity.compared ? to_json(diagnosis.fidelity) : Json();
  object["rounded_db"] = number(diagnosis.rounded_db);
  object["real_db"] = number(diagnosis.real_db);
  object["untried"] = diagnosis.untried;
  object["tensors"] = Json::array();
  for (const TensorFinding &one : diagnosis.tensors)
    object["tensors"].push_back({{"node", one.node},
                                 {"operator", one.op},
                                 {"tensor", one.tensor},
                                 {"role", one.role},
                                 {"type", one.dtype},
                                 {"alone_db", number(one.alone_db)},
                                 {"without_db", number(one.without_db)},
                                 {"cause", definition(one.cause.kind).name},
                                 {"text", one.cause.text}});
  object["causes"] = Json::array();
  for (const CauseFinding &cause : diagnosis.causes)
    object["causes"].push_back({{"cause", definition(cause.kind).name},
                                {"meaning", definition(cause.kind).meaning},
                                {"cure", definition(cause.kind).cure},
                                {"tensors", cause.tensors},
                                {"alone_db", number(cause.alone_db)},
                                {"without_db", number(cause.without_db)},
                                {"matters", cause.matters}});
  object["cure"] = diagnosis.cure();
  object["notes"] = diagnosis.notes;
  return object.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

} // namespace edgec
