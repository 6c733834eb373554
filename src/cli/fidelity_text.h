// Moved down a room, where the report needs it too.
#pragma once

#include "measure/fidelity_text.h"
