// A oneDNN primitive between tensors as edgec keeps them.
#pragma once

#include "kernels/fast/onednn.h"

namespace edgec::fast {

/// Names a primitive's arguments; what it wants in another format or type is reordered through scratch.
class Reordered {
public:
  explicit Reordered(int threads) : threads_(threads) {}

  Status input(int index, const dnnl::memory::desc &given, const dnnl::memory::desc &wanted, std::size_t number) {
    if (given == wanted) {
      arguments_.push_back({index, given, OnednnArgument::From::input, number, {}});
      return {};
    }
    const OnednnArgument through = in_scratch(index, wanted);
    arguments_.push_back(through);
    return reorder({DNNL_ARG_FROM, given, OnednnArgument::From::input, number, {}},
                   {DNNL_ARG_TO, wanted, OnednnArgument::From::scratch, through.number, {}}, before_);
  }

  Status output(int index, const dnnl::memory::desc &given, const dnnl::memory::desc &wanted, std::size_t number) {
    if (given == wanted) {
      arguments_.push_back({index, given, OnednnArgument::From::output, number, {}});
      return {};
    }
    const OnednnArgument through = in_scratch(index, wanted);
    arguments_.push_back(through);
    return reorder({DNNL_ARG_FROM, wanted, OnednnArgument::From::scratch, through.number, {}},
                   {DNNL_ARG_TO, given, OnednnArgument::From::output, number, {}}, after_);
  }

  /// The kernel of the primitive whose arguments were named.
  template <class Primitive, class Descriptor>
  Result<Kernel> kernel(const Descriptor &descriptor) {
    arguments_.push_back(in_scratch(DNNL_ARG_SCRATCHPAD, descriptor.scratchpad_desc()));
    EDGEC_ASSIGN(auto call, onednn_call<Primitive>(descriptor, std::move(arguments_), threads_));
    std::vector<std::shared_ptr<const OnednnCall>> calls = std::move(before_);
    calls.push_back(std::move(call));
    calls.insert(calls.end(), after_.begin(), after_.end());
    Kernel kernel;
    kernel.scratch_bytes = scratch_;
    kernel.description = "onednn " + std::string(descriptor.impl_info_str());
    kernel.run = [calls = std::move(calls)](const KernelIo &io) {
      for (const auto &each : calls) each->run(io);
    };
    return kernel;
  }

private:
  int threads_;
  std::size_t scratch_ = 0;
  std::vector<OnednnArgument> arguments_;
  std::vector<std::shared_ptr<const OnednnCall>> before_, after_;

  OnednnArgument in_scratch(int index, const dnnl::memory::desc &desc) {
    constexpr std::size_t alignment = 64;
    const std::size_t offset = scratch_;
    scratch_ += (desc.get_size() + alignment - 1) / alignment * alignment;
    return {index, desc, OnednnArgument::From::scratch, offset, {}};
  }

  Status reorder(OnednnArgument from, OnednnArgument to, std::vector<std::shared_ptr<const OnednnCall>> &calls) {
    const auto descriptor = with_onednn([&] {
      dnnl::primitive_attr attributes;
      attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
      return dnnl::reorder::primitive_desc(cpu_engine(), from.desc, cpu_engine(), to.desc, attributes);
    });
    std::vector<OnednnArgument> arguments{std::move(from), std::move(to),
                                          in_scratch(DNNL_ARG_SCRATCHPAD, descriptor.scratchpad_desc())};
    EDGEC_ASSIGN(auto call, onednn_call<dnnl::reorder>(descriptor, std::move(arguments), threads_));
    calls.push_back(std::move(call));
    return {};
  }
};

} // namespace edgec::fast
