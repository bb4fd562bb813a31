/* Moved to dissectors/lookup.h, where filters and crafting reach it. */
#pragma once
#include "dissectors/lookup.h"
