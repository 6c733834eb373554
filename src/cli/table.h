// Moved down a room, where the report needs it too.
#pragma once

#include "support/table.h"
