#include "kernels/fast/onednn.h"

#include <atomic>
#include <cstring>
#include <mutex>
#include <unordered_map>

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
  const OmpThreads scope(threads_);
  with_onednn([&] {
    for (std::size_t i = 0; i < arguments_.size(); ++i) point(binding, i, io);
    dnnl::error::wrap_c_api(dnnl_primitive_execute(primitive_.get(), binding.stream.get(),
                                                   static_cast<int>(binding.arguments.size()),
                                                   binding.arguments.data()),
                            "oneDNN could not run its kernel");
  });
}

void OnednnCall::point(Binding &binding, std::size_t number, const KernelIo &io) const {
  const OnednnArgument &argument = arguments_[number];
  const std::byte *bytes = nullptr;
  switch (argument.from) {
  case OnednnArgument::From::input: bytes = io.inputs[argument.number]; break;
  case OnednnArgument::From::output: bytes = io.outputs[argument.number]; break;
  case OnednnArgument::From::scratch: bytes = io.scratch + argument.number; break;
  case OnednnArgument::From::constant: return;
  }
  dnnl::error::wrap_c_api(dnnl_memory_set_data_handle(binding.arguments[number].memory, const_cast<std::byte *>(bytes)),
                          "oneDNN could not take the memory of a value");
}

namespace {

/// What tells a primitive from others, as bytes; empty where that is not known.
class Key {
public:
  static std::string of(const dnnl::primitive_desc_base &descriptor, int threads) {
    Key key;
    if (!key.add_operation(descriptor.get()) || !key.add_post_ops(descriptor.get_primitive_attr().get_post_ops()))
      return {};
    key.bytes_ += descriptor.impl_info_str();
    key.add(threads);
    for (const auto what : {dnnl::query::src_md, dnnl::query::weights_md, dnnl::query::dst_md, dnnl::query::diff_src_md,
                            dnnl::query::diff_weights_md, dnnl::query::diff_dst_md, dnnl::query::scratchpad_md})
      key.add(descriptor.query_md(what).data);
    key.add_numbers(descriptor.get_primitive_attr());
    return key.bytes_;
  }

private:
  std::string bytes_;

  template <class T>
  void add(const T &value) {
    bytes_.append(reinterpret_cast<const char *>(&value), sizeof value);
  }
  template <class T>
  void add_all(const std::vector<T> &values) {
    add(values.size());
    for (const T &value : values) add(value);
  }

  template <class Operation>
  bool add_operation(const_dnnl_primitive_desc_t descriptor, dnnl_query_t what) {
    const Operation *operation = nullptr;
    if (dnnl_primitive_desc_query(descriptor, what, 0, &operation) != dnnl_success) return false;
    add(*operation);
    return true;
  }
  bool add_operation(const_dnnl_primitive_desc_t descriptor) {
    dnnl_primitive_kind_t kind{};
    if (dnnl_primitive_desc_query(descriptor, dnnl_query_primitive_kind, 0, &kind) != dnnl_success) return false;
    switch (kind) {
    case dnnl_convolution: return add_operation<dnnl_convolution_desc_t>(descriptor, dnnl_query_convolution_d);
    case dnnl_deconvolution: return add_operation<dnnl_deconvolution_desc_t>(descriptor, dnnl_query_deconvolution_d);
    case dnnl_matmul: return add_operation<dnnl_matmul_desc_t>(descriptor, dnnl_query_matmul_d);
    default: return false;
    }
  }

  bool add_post_ops(const dnnl::post_ops &ops) {
    for (int i = 0; i < ops.len(); ++i) {
      add(ops.kind(i));
      dnnl::algorithm which{};
      if (ops.kind(i) == dnnl::primitive::kind::eltwise) {
        float scale = 1, alpha = 0, beta = 0;
        ops.get_params_eltwise(i, scale, which, alpha, beta);
        add(scale), add(alpha), add(beta);
      } else if (ops.kind(i) == dnnl::primitive::kind::binary) {
        dnnl::memory::desc operand;
        ops.get_params_binary(i, which, operand);
        add(operand.data);
      } else {
        return false;
      }
      add(which);
    }
    return true;
  }

  /// Scales and zero points.
  void add_numbers(const dnnl::primitive_attr &attributes) {
    int mask = 0;
    std::vector<float> scales;
    attributes.get_output_scales(mask, scales);
    add(mask), add_all(scales);
    for (const int argument : {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST}) {
      std::vector<std::int32_t> zero_points;
      attributes.get_zero_points(argument, mask, zero_points);
      add(mask), add_all(zero_points);
    }
    add(attributes.get_scratchpad_mode());
  }
};

} // namespace

dnnl::primitive shared_primitive(const dnnl::primitive_desc_base &descriptor, int threads,
                                 const std::function<dnnl::primitive()> &make) {
  constexpr std::size_t most = 128; // compiled code of some 50 KB each
  static std::mutex mutex;
  static std::unordered_map<std::string, dnnl::primitive> known;
  const std::string key = Key::of(descriptor, threads);
  if (key.empty()) return make();
  {
    const std::lock_guard lock(mutex);
    if (const auto found = known.find(key); found != known.end()) return found->second;
  }
  const dnnl::primitive made = make();
  const std::lock_guard lock(mutex);
  if (known.size() == most) known.clear(); // plans keep what they use
  known.emplace(key, made);
  return made;
}

dnnl::memory in_format(const dnnl::memory::desc &from, const void *bytes, const dnnl::memory::desc &to) {
  return with_onednn([&] {
    if (from == to) {
      dnnl::memory copy(to, cpu_engine());
      std::memcpy(copy.get_data_handle(), bytes, to.get_size());
      return copy;
    }
    dnnl::stream stream(cpu_engine());
    dnnl::memory source(from, cpu_engine(), const_cast<void *>(bytes)), target(to, cpu_engine());
    dnnl::reorder(source, target).execute(stream, source, target);
    stream.wait();
    return target;
  });
}

} // namespace edgec::fast
