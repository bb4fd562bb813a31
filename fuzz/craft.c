/* Editing of hostile packets: the first two bytes pick the link type, the third a field that is set, the rest is the
 * packet. Taken as it is and built again it must be the same; with a field set it must be built or refused. */
#include "inject/craft.h"
#include "dissectors/dissect.h"
#include "dissectors/registry.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { HEAD = 3 };

static struct packet packet;
static bool begun;

/* Each layer's field of that place is set to a value that may not be one of its. */
static void set_fields(struct craft *craft, unsigned which)
{
    for (unsigned i = 0; i < craft_layer_count(craft); i++) {
        const struct protocol *protocol = craft_layer_protocol(craft, i);
        unsigned rows = 0;
        while (protocol && protocol->fields[rows].abbrev)
            rows++;
        if (!rows)
            continue;
        struct craft_value value = { .kind = which & 1 ? CRAFT_NUMBER : CRAFT_LIST, .number = which };
        if ((which & 6) == 6 && !craft_value_bytes(&value, "\1\2\3\4\5\6\7\10\11", which % 10))
            abort();
        craft_set(craft, i, protocol->fields[which % rows].abbrev, &value, NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct craft *craft;
    struct span built;
    if (n < HEAD || n - HEAD > CRAFT_PACKET_MAX)
        return 0;
    if (!begun)
        registry_open();
    begun = true;
    uint8_t *copy = malloc(n - HEAD + 1);
    if (!copy)
        abort();
    memcpy(copy, bytes + HEAD, n - HEAD);
    packet_reset(&packet, (struct span){ copy, n - HEAD });
    packet.link_type = load_le16(bytes) & 0x1ff;
    packet.wire_length = (uint32_t)(n - HEAD);
    dissect(&packet);
    if (craft_from_packet(&craft, &packet, NULL))
        abort();
    if (craft_build(craft, &built, NULL) || built.left != n - HEAD || memcmp(built.at, copy, built.left) != 0)
        abort();
    set_fields(craft, bytes[2]);
    craft_build(craft, &built, NULL);
    craft_matches(craft, &packet, NULL);
    craft_free(craft);
    free(copy);
    return 0;
}
