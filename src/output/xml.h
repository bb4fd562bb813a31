/* Text into XML: pictures (SVG). */
#pragma once
#include "base/buffer.h"

/* n bytes between tags or in quotes: no character that XML would read; what it cannot hold at all becomes '?'. */
void xml_text(struct buffer *out, const char *text, size_t n);
