#include "job/version.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <oneapi/dnnl/dnnl.h>

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

std::string version_text(bool json) {
  const std::string isa(name(detect_isa()));
  if (json) {
    const nlohmann::ordered_json object{{"edgec", version()},
                                        {"onnx", EDGEC_ONNX_VERSION},
                                        {"onednn", onednn_version()},
                                        {"isa", isa},
                                        {"processors", hardware_threads()}};
    return object.dump(2) + "\n";
  }
  return fmt::format("edgec {}\nONNX {}\noneDNN {}\ninstruction set {}\n", version(), EDGEC_ONNX_VERSION,
                     onednn_version(), isa);
}

} // namespace edgec
