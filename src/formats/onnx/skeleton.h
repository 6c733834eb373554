// A model without its weights, for the parts of ONNX that copy what they are given. Internal to this room.
#pragma once

#include <onnx/onnx_pb.h>

#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "support/result.h"

namespace edgec::proto {

/// Takes big initializers and big Constant nodes of the main graph out of a model for as long as it lives; they stand
/// there as graph inputs meanwhile, whatever else happens to the graph. Small ones stay, and integer ones up to 64 KiB:
/// shapes are inferred from them.
class Skeleton {
public:
  explicit Skeleton(onnx::ModelProto &model);
  ~Skeleton();
  Skeleton(const Skeleton &) = delete;
  Skeleton &operator=(const Skeleton &) = delete;

private:
  onnx::ModelProto &model_;
  std::unordered_set<std::string> inputs_; // added ones
  std::vector<std::pair<int, std::unique_ptr<onnx::TensorProto>>> initializers_;
  std::vector<std::pair<int, std::unique_ptr<onnx::NodeProto>>> constants_;
};

/// What ONNX's library says when it throws in f(), or nothing. Memory that runs out says nothing of the model.
template <class F>
std::optional<std::string> thrown_by(F &&f) {
  try {
    f();
    return {};
  } catch (const std::bad_alloc &) {
    throw;
  } catch (const std::exception &error) {
    return error.what();
  }
}

/// What ONNX's checker (full_check) finds wrong; empty: nothing. The model is as it was afterwards.
std::string check_failure(onnx::ModelProto &model);

/// Writes down the types of inner values, as far as ONNX can tell them. The model has passed ONNX's checker.
void infer_shapes(onnx::ModelProto &model);

/// The lowest IR version that speaks these operator sets (ONNX's table of releases), at least 3.
std::int64_t ir_version_for(const onnx::ModelProto &model);

} // namespace edgec::proto
