#include "output/heading.h"
#include "base/text.h"
#include "dissectors/registry.h"
#include "output/endpoints.h"

void sgr_begin(struct buffer *out, const struct style *style, enum sgr sgr)
{
    if (!style->color)
        return;
    buffer_text(out, "\033[");
    buffer_decimal(out, sgr);
    buffer_char(out, 'm');
}

void sgr_end(struct buffer *out, const struct style *style)
{
    if (style->color)
        buffer_text(out, "\033[0m");
}

static void put_dot(struct buffer *out, const struct style *style)
{
    buffer_char(out, ' ');
    buffer_text(out, mark(style, MARK_DOT));
    buffer_char(out, ' ');
}

/* Rows that say source and destination, or a pair of ports. */
static bool has_ends(const struct protocol *protocol)
{
    for (const struct field *f = protocol->fields; f->abbrev; f++) {
        size_t n = f->also ? strlen(f->also) : 0;
        if (f->role == ROLE_SOURCE || (n > 5 && !strcmp(f->also + n - 5, ".port")))
            return true;
    }
    return false;
}

bool heading_ends(struct buffer *out, const struct packet *packet, const struct layer *layer, const struct style *style)
{
    if (!has_ends(layer->protocol))
        return false;
    size_t before = buffer_hold(out);
    put_dot(out, style);
    size_t mark_source = buffer_used(out);
    endpoint_write(out, packet, layer, true);
    bool written = buffer_used(out) > mark_source;
    buffer_char(out, ' ');
    buffer_text(out, mark(style, MARK_ARROW));
    buffer_char(out, ' ');
    size_t mark_destination = buffer_used(out);
    endpoint_write(out, packet, layer, false);
    written = written && buffer_used(out) > mark_destination;
    if (!written)
        out->at = out->start + before;
    buffer_release(out);
    return written;
}

void heading_place(struct buffer *out, const struct layer *layer, const struct style *style)
{
    if (layer->flags & LAYER_QUOTED) {
        put_dot(out, style);
        buffer_text(out, _("quoted in the error"));
    }
    if (layer->buffer) {
        put_dot(out, style);
        buffer_text(out, _("reassembled"));
        if (layer->buffer > 1) {
            buffer_char(out, ' ');
            buffer_decimal(out, layer->buffer);
        }
    }
}

const char *heading_verdict(const struct layer *layer, bool brief)
{
    if (layer->flags & LAYER_DEEP && layer->protocol == &data_protocol)
        return brief ? _("nested too deep") : _("nested too deep to be taken apart");
    if (layer->verdict == VERDICT_BROKEN)
        return brief ? _("malformed") : _("malformed: it contradicts itself or what encloses it");
    if (layer->verdict == VERDICT_CUT)
        return brief ? _("cut short") : _("cut short: the capture ends here");
    return NULL;
}
