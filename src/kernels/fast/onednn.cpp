#include "kernels/fast/onednn.h"

#include <atomic>

#include <omp.h>

namespace edgec::fast {

const dnnl::engine &cpu_engine() {
  static const dnnl::engine engine = [] {
    // An entry of oneDNN's cache of primitives stays where memory ran out while its primitive was built, and points
    // into a descriptor that is gone (2.6.3): the next one that is looked up or evicted reads it. Plans keep what they
    // use.
    dnnl::set_primitive_cache_capacity(0);
    return dnnl::engine(dnnl::engine::kind::cpu, 0);
  }();
  return engine;
}

OmpThreads::OmpThreads(int threads) : before_(omp_get_max_threads()) {
  if (before_ != threads) omp_set_num_threads(threads);
}

OmpThreads::~OmpThreads() {
  if (omp_get_max_threads() != before_) omp_set_num_threads(before_);
}

struct OnednnCall::Binding {
  std::vector<dnnl::memory> memories;
  std::vector<dnnl_exec_arg_t> arguments;
  dnnl::stream stream{cpu_engine()};
  std::atomic_flag busy;
};

OnednnCall::OnednnCall(dnnl::primitive primitive, std::vector<OnednnArgument> arguments, int threads)
    : primitive_(std::move(primitive)), arguments_(std::move(arguments)), threads_(threads), shared_(bind()) {}

OnednnCall::~OnednnCall() = default;

std::unique_ptr<OnednnCall::Binding> OnednnCall::bind() const {
  auto binding = std::make_unique<Binding>();
  for (const OnednnArgument &argument : arguments_) {
    const bool constant = argument.from == OnednnArgument::From::constant;
    binding->memories.push_back(constant ? argument.constant : dnnl::memory(argument.desc, cpu_engine(), nullptr));
    binding->arguments.push_back({argument.index, binding->memories.back().get()});
  }
  return binding;
}

void OnednnCall::run(const KernelIo &io) const {
  struct Turn { // of one caller on the shared binding
    std::atomic_flag &busy;
    const bool taken = !busy.test_and_set(std::memory_order_acquire);
    ~Turn() {
      if (taken) busy.clear(std::memory_order_release);
    }
  };
  const Turn turn{shared_->busy};
  const std::unique_ptr<Binding> own = turn.taken ? nullptr : with_onednn([this] { return bind(); });
  Binding &binding = turn.taken ? *shared_ : *own;
  for (std::size_t i = 0; i < arguments_.size(); ++i) {
    const OnednnArgument &argument = arguments_[i];
    const std::byte *bytes = nullptr;
    switch (argument.from) {
    case OnednnArgument::From::input: bytes = io.inputs[argument.number]; break;
    case OnednnArgument::From::output: bytes = io.outputs[argument.number]; break;
    case OnednnArgument::From::scratch: bytes = io.scratch + argument.number; break;
    case OnednnArgument::From::constant: continue;
    }
    dnnl_memory_set_data_handle(binding.arguments[i].memory, const_cast<std::byte *>(bytes));
  }
  const OmpThreads scope(threads_);
  with_onednn([&] {
    dnnl::error::wrap_c_api(dnnl_primitive_execute(primitive_.get(), binding.stream.get(),
                                                   static_cast<int>(binding.arguments.size()),
                                                   binding.arguments.data()),
                            "oneDNN could not run its kernel");
  });
}

dnnl::memory in_format(const dnnl::memory::desc &from, const void *bytes, const dnnl::memory::desc &to) {
  return with_onednn([&] {
    dnnl::stream stream(cpu_engine());
    dnnl::memory source(from, cpu_engine(), const_cast<void *>(bytes)), target(to, cpu_engine());
    dnnl::reorder(source, target).execute(stream, source, target);
    stream.wait();
    return target;
  });
}

} // namespace edgec::fast
