#include "support/cancel.h"

#include <csignal>

namespace edgec {
namespace {

volatile std::sig_atomic_t signalled = 0;

void on_signal(int signal) {
  signalled = 1;
  std::signal(signal, SIG_DFL);
}

} // namespace

void catch_interrupts() {
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
}

bool interrupted() { return signalled != 0; }

Status check_interrupted() {
  if (signalled != 0) return Error{Code::interrupted, "interrupted"};
  return {};
}

void take_interrupt() { signalled = 0; }

} // namespace edgec
