#include "output/hex.h"
#include "base/text.h"
#include "dissectors/registry.h"
#include "output/heading.h"
#include "protocol/protocol.h"

enum { PER_LINE = 16 };

/* One line: the bytes from `from` to `to` (less than PER_LINE on), in their columns. */
static void write_line(struct buffer *out, const uint8_t *bytes, size_t from, size_t to, const struct style *style)
{
    size_t line = from / PER_LINE * PER_LINE;
    sgr_begin(out, style, SGR_DIM);
    buffer_hex(out, line, 4);
    sgr_end(out, style);
    char *at = buffer_room(out, PER_LINE * 5);
    *at++ = ' ';
    for (size_t i = line; i < line + PER_LINE; i++) {
        *at++ = ' ';
        if (i == line + PER_LINE / 2)
            *at++ = ' ';
        if (i >= from && i < to) {
            at = write_hex(at, bytes[i], 2);
        } else {
            *at++ = ' ';
            *at++ = ' ';
        }
    }
    *at++ = ' ';
    *at++ = ' ';
    for (size_t i = line; i < to; i++)
        *at++ = i < from ? ' ' : bytes[i] >= 0x20 && bytes[i] < 0x7f ? (char)bytes[i] : '.';
    *at++ = '\n';
    out->at = at;
}

static void write_bytes(struct buffer *out, struct span bytes, size_t from, const struct style *style)
{
    while (from < bytes.left) {
        size_t to = (from / PER_LINE + 1) * PER_LINE;
        to = to < bytes.left ? to : bytes.left;
        write_line(out, bytes.at, from, to, style);
        from = to;
    }
}

/* The link header is the first layer, unless that is IP itself. */
static size_t link_length(const struct packet *packet)
{
    if (!packet->layer_count)
        return 0;
    const struct protocol *first = packet->layers[0].protocol;
    bool network =
        first == registry_lookup(KEY_ETHERTYPE, 0x0800, 0) || first == registry_lookup(KEY_ETHERTYPE, 0x86dd, 0);
    return network || first == &data_protocol ? 0 : packet->layers[0].length;
}

void hex_write(struct buffer *out, const struct packet *packet, bool link, const struct style *style)
{
    write_bytes(out, packet->buffers[0], link ? 0 : link_length(packet), style);
    for (unsigned i = 1; i < packet->buffer_count; i++) {
        buffer_format(out, _("Reassembled %u: %zu bytes"), i, packet->buffers[i].left);
        buffer_char(out, '\n');
        write_bytes(out, packet->buffers[i], 0, style);
    }
}
