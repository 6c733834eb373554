// A node made ready to run for fixed shapes: what OpDef::prepare gives and the runtime's plan strings together.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace edgec {

/// How a tensor's elements lie in memory: row-major as ONNX writes it, or with axis 1 innermost (N,H,W,C of N,C,H,W).
enum class Layout : unsigned char { plain, channels_last };

/// Instruction sets, each including those before it. A plan never uses more than it was compiled for.
enum class Isa : unsigned char { scalar, avx2, avx512, vnni, amx };

/// How integer accumulators become codes. `onnx` is onnxruntime's arithmetic (kernels/requantize.h).
enum class IntegerPolicy : unsigned char { onnx };

struct KernelIo {
  std::span<const std::byte *const> inputs; // null: omitted
  std::span<std::byte *const> outputs;      // null: not wanted
  std::byte *scratch;                       // 64-byte aligned, Kernel::scratch_bytes
};

/// Runs any number of times and on several threads at once (each with its own buffers).
struct Kernel {
  std::vector<Layout> inputs; ///< layout it wants of each operand; empty: all plain
  Layout output = Layout::plain;
  std::size_t scratch_bytes = 0;
  /// How many of PrepareArgs::followers it computes as well; its output is then the last one's, and the followers'
  /// other operands come after its own inputs, in order.
  std::size_t followers = 0;
  std::string description; ///< for profiles: "onednn brgconv:avx512_core_vnni"
  std::function<void(const KernelIo &)> run;
};

} // namespace edgec
