// oneDNN primitives as reentrant kernels: created once, scratch given by the caller.
#pragma once

#include <functional>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include <oneapi/dnnl/dnnl.hpp>

#include "ir/kernel.h"
#include "support/result.h"

namespace edgec::fast {

const dnnl::engine &cpu_engine();

/// Sets OpenMP's thread count for the calling thread, and sets it back. oneDNN asks for it when a primitive is created
/// and when it runs.
class OmpThreads {
public:
  explicit OmpThreads(int threads);
  ~OmpThreads();
  OmpThreads(const OmpThreads &) = delete;
  OmpThreads &operator=(const OmpThreads &) = delete;

private:
  int before_;
};

/// Where an argument of a primitive lies when it runs.
struct OnednnArgument {
  enum class From { input, output, scratch, constant };
  int index = 0; ///< DNNL_ARG_...
  dnnl::memory::desc desc;
  From from = From::input;
  std::size_t number = 0; ///< which of KernelIo::inputs or outputs, or the byte offset in scratch
  dnnl::memory constant;  ///< From::constant
};

/// A primitive and its arguments, run on any number of threads at once.
class OnednnCall {
public:
  OnednnCall(dnnl::primitive primitive, std::vector<OnednnArgument> arguments, int threads);
  ~OnednnCall();
  void run(const KernelIo &io) const;

private:
  struct Binding;
  std::unique_ptr<Binding> bind() const;
  /// Points an argument's memory at the caller's bytes.
  void point(Binding &binding, std::size_t number, const KernelIo &io) const;
  dnnl::primitive primitive_;
  std::vector<OnednnArgument> arguments_;
  int threads_;
  mutable std::unique_ptr<Binding> shared_; ///< the first comer's; others make their own
};

/// What f() gives; where oneDNN finds no memory it throws std::bad_alloc, as everything else does.
template <class F>
auto with_onednn(F &&f) -> decltype(f()) {
  try {
    return f();
  } catch (const dnnl::error &error) {
    if (error.status == dnnl_out_of_memory) throw std::bad_alloc();
    throw;
  }
}

/// Bytes in `from`'s format as memory in `to`'s, reordered if need be.
dnnl::memory in_format(const dnnl::memory::desc &from, const void *bytes, const dnnl::memory::desc &to);

/// A primitive descriptor for create(), or an error: oneDNN refuses, or has only its slow reference code.
template <class Create>
auto onednn_descriptor(Create &&create) -> Result<decltype(create())> {
  try {
    auto descriptor = with_onednn(create);
    const std::string implementation = descriptor.impl_info_str();
    if (implementation.starts_with("ref") || implementation.starts_with("simple"))
      return unsupported("oneDNN has only reference code for this: " + implementation);
    return descriptor;
  } catch (const dnnl::error &error) {
    return unsupported(std::string("oneDNN refuses this: ") + error.what());
  }
}

/// What make() gives, or gave for an equal descriptor not long ago: building a primitive compiles its code.
dnnl::primitive shared_primitive(const dnnl::primitive_desc_base &descriptor, int threads,
                                 const std::function<dnnl::primitive()> &make);

/// The primitive with its arguments, or an error where oneDNN cannot build it after all.
template <class Primitive, class Descriptor>
Result<std::shared_ptr<const OnednnCall>> onednn_call(const Descriptor &descriptor,
                                                      std::vector<OnednnArgument> arguments, int threads) {
  try {
    return with_onednn([&] {
      const auto primitive = shared_primitive(descriptor, threads, [&] { return Primitive(descriptor); });
      return std::make_shared<const OnednnCall>(primitive, std::move(arguments), threads);
    });
  } catch (const dnnl::error &error) {
    return unsupported(std::string("oneDNN refuses this: ") + error.what());
  }
}

} // namespace edgec::fast
