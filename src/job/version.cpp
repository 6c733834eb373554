#include "job/version.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <oneapi/dnnl/dnnl.h>

#include "compress/blas.h"
#include "kernels/isa.h"
#include "support/parallel.h"

namespace edgec {
namespace {

std::string onednn_version() {
  const dnnl_version_t *found = dnnl_version();
  return fmt::format("{}.{}.{}", found->major, found->minor, found->patch);
}

} // namespace

std::string version() { return EDGEC_VERSION; }
std::string release_date() { return EDGEC_RELEASED; }

std::vector<std::pair<std::string, std::string>> libraries() {
  std::vector<std::pair<std::string, std::string>> found{
      {"ONNX", EDGEC_ONNX_VERSION}, {"oneDNN", onednn_version()}, {"OpenBLAS", running_blas().version}};
  for (std::string_view rest = EDGEC_LIBRARIES; !rest.empty();) { // "zlib 1.2.13,fmt 9.1.0"
    const std::string_view one = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
    const auto space = one.find(' ');
    found.emplace_back(one.substr(0, space), one.substr(space + 1));
  }
  return found;
}

std::string version_text(bool json) {
  const std::string isa(name(detect_isa()));
  if (json) {
    nlohmann::ordered_json versions;
    for (const auto &[library, number] : libraries()) versions[library] = number;
    const nlohmann::ordered_json object{{"edgec", version()},
                                        {"onnx", EDGEC_ONNX_VERSION},
                                        {"onednn", onednn_version()},
                                        {"compiler", EDGEC_COMPILER},
                                        {"libraries", versions},
                                        {"isa", isa},
                                        {"processors", hardware_threads()}};
    return object.dump(2) + "\n";
  }
  std::string text = fmt::format("edgec {}\n{:<18}", version(), "made of");
  for (const auto &[library, number] : libraries())
    text += fmt::format("{}{} {}", text.ends_with(' ') ? "" : ", ", library, number);
  return text + fmt::format("\n{:<18}{}\n{:<18}{}\n", "compiler", EDGEC_COMPILER, "instruction set", isa);
}

} // namespace edgec
