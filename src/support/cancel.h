// Ctrl-C as a flag that long loops look at.
#pragma once

#include "support/result.h"

namespace edgec {

/// Makes SIGINT and SIGTERM set the flag instead of ending the process; a second one ends it at once.
void catch_interrupts();

/// True once a signal came.
bool interrupted();

/// An Error (Code::interrupted) once a signal came.
Status check_interrupted();

/// Lowers the flag: what the signal asked for is being done, to stop and to finish what is good so far. The next signal
/// ends the process at once.
void take_interrupt();

} // namespace edgec
