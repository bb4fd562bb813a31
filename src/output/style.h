/* How text for people is drawn: decided once by the command, from the terminal, the locale and the options. */
#pragma once
#include <stdbool.h>

struct style {
    bool color;       /* SGR colours; never the only sign of anything */
    bool ascii;       /* no box drawing, arrows or middle dots beyond ASCII */
    unsigned columns; /* of the terminal; 0: not a terminal, nothing is cut */
};
