#include "ir/provenance.h"

namespace edgec {

void add_provenance(Model &model, const Provenance &provenance) {
  std::erase_if(model.metadata, [](const auto &entry) { return entry.first.starts_with("edgec."); });
  const auto add = [&](const char *key, std::string value) {
    if (!value.empty()) model.metadata.emplace_back(key, std::move(value));
  };
  add("edgec.version", provenance.version);
  add("edgec.options", provenance.options);
  add("edgec.seed", std::to_string(provenance.seed));
  add("edgec.isa", provenance.isa);
  add("edgec.input_sha256", model.source_sha256);
}

} // namespace edgec
