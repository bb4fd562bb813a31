/* Messages for people: _() looks a text up in the catalogue of the user's language, N_() marks one that a table
 * holds and that is looked up where it is printed. What stands on the wire (RFC words, field names) stays as it is. */
#pragma once
#include <libintl.h>

#define _(text)  gettext(text)
#define N_(text) text
