/* Expressions on packets: the first byte says how long the expression is, two pick the link type, then come the
 * expression and the packet. */
#include "filter/filter.h"
#include "dissectors/dissect.h"
#include "dissectors/registry.h"
#include "track/tracker.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static struct packet packet;
static struct tracker tracker;

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct error error;
    if (!tracker.tcp) {
        registry_open();
        if (tracker_open(&tracker, TRACK_STREAMS | TRACK_STATES, &error))
            abort();
        tracker.max_connections = 1000;
    }
    if (n < 3 || bytes[0] > n - 3)
        return 0;
    size_t length = bytes[0];
    char *expression = malloc(length + 1);
    uint8_t *copy = malloc(n - 3 - length + 1);
    if (!expression || !copy)
        abort();
    memcpy(expression, bytes + 3, length);
    expression[length] = 0;
    n -= 3 + length;
    memcpy(copy, bytes + 3 + length, n);
    packet_reset(&packet, (struct span){ copy, n });
    packet.link_type = load_le16(bytes + 1) & 0x1ff;
    packet.wire_length = (uint32_t)n;
    packet.number++;
    dissect(&packet);
    tracker_take(&tracker, &packet);
    struct filter *filter;
    if (!filter_open(&filter, expression, &error)) {
        struct buffer out;
        filter_notes(filter);
        /* The quick way and the walk give the same answer. */
        uint8_t again = packet.again;
        bool quick = filter_passes(filter, &packet);
        packet.again = 0xff;
        if (quick != filter_passes(filter, &packet))
            abort();
        packet.again = again;
        if (buffer_open(&out, -1, 64))
            abort();
        filter_explain(filter, &out);
        buffer_free(&out);
        filter_close(filter);
    }
    free(copy);
    free(expression);
    return 0;
}
