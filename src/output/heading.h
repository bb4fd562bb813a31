/* What trees, diagrams and hex say above a layer, and the signs that they are drawn with. */
#pragma once
#include "base/buffer.h"
#include "output/style.h"
#include "protocol/packet.h"

enum mark { MARK_DOT, MARK_ARROW, MARK_CUT, MARK_TIMES };

static inline const char *mark(const struct style *style, enum mark which)
{
    static const char *const signs[][2] = {
        { "·", "-" },
        { "→", "->" },
        { "…", "~" },
        { "·", "*" },
    };
    return signs[which][style->ascii];
}

enum sgr { SGR_BOLD = 1, SGR_DIM = 2, SGR_RED = 31, SGR_YELLOW = 33 };

void sgr_begin(struct buffer *out, const struct style *style, enum sgr sgr);
void sgr_end(struct buffer *out, const struct style *style);

/* " · 10.0.0.1:80 → 10.0.0.2:1234" for a layer that has ends of its own (addresses or ports); false, and nothing
 * written, for any other. */
bool heading_ends(struct buffer *out, const struct packet *packet, const struct layer *layer,
                  const struct style *style);
/* " · quoted · reassembled", whatever of it is true. */
void heading_place(struct buffer *out, const struct layer *layer, const struct style *style);
/* What is wrong with a layer or keeps it from being all there, in words; NULL: nothing. */
const char *heading_verdict(const struct layer *layer, bool brief);
