/* Fiber Distributed Data Interface (ANSI X3.139, ISO 9314-2): a ring's frames, which carry LLC (RFC 1390). */
#include "base/text.h"
#include "protocol/header.h"
#include "protocol/protocol.h"

enum {
    HEADER = 13,
    LLC_FRAME = 0x50, /* the upper half of the frame control; the lower one is its priority */
    TYPE_LLC = 4,     /* Linux's ETH_P_802_2: what LLC goes by here */
};

static bool kind(const struct place *place, struct value *value);

static const struct when is_llc[] = {
    { BITS(0, 4), LLC_FRAME >> 4, LLC_FRAME >> 4 },
    { 0 },
};
static const struct value_name kinds[] = {
    { 0x00, "Void" }, { 0x40, "Station management" }, { LLC_FRAME, "LLC, asynchronous" },
    { 0xc0, "MAC" },  { 0xd0, "LLC, synchronous" },   { 0, NULL }
};

static const struct field fields[] = {
    { "fddi.fc", N_("Frame Control"), FIELD_UINT, BYTE(0, 1), .base = BASE_HEX, .preset = LLC_FRAME },
    { "fddi.fc.clf", N_("Class, length of addresses, format"), FIELD_UINT, .base = BASE_HEX, .read = kind,
      .names = kinds },
    { "fddi.fc.prio", N_("Priority"), FIELD_UINT, BITS(5, 3), .when = is_llc },
    { "fddi.dst", N_("Destination"), FIELD_MAC, BYTE(1, 6), .role = ROLE_DESTINATION, .also = "fddi.addr" },
    { "fddi.src", N_("Source"), FIELD_MAC, BYTE(7, 6), .role = ROLE_SOURCE, .also = "fddi.addr" },
    { 0 },
};

/* The upper half of the frame control as a byte, as it is written of one. */
static bool kind(const struct place *place, struct value *value)
{
    if (!place->bytes.left)
        return false;
    *value = (struct value){ .bytes = span_part(place->bytes, 0, 1), .width = 4 };
    value->u = place->bytes.at[0] & 0xf0;
    return true;
}

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    (void)packet;
    const uint8_t *h = header_take(self, in, HEADER);
    if (!h)
        return VERDICT_CUT;
    if ((h[0] & 0xf0) == LLC_FRAME)
        *next = (struct key){ KEY_ETHERTYPE, TYPE_LLC, 0 };
    return VERDICT_WHOLE;
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    const uint8_t *h = header_shown(packet, layer, HEADER, out);
    if (!h)
        return;
    const char *name = field_value_name(&fields[1], h[0] & 0xf0);
    buffer_text(out, name ? name : "frame control 0x");
    if (!name)
        buffer_hex(out, h[0], 2);
}

static const struct key keys[] = {
    { KEY_LINK, 10, 0 },
    { 0 },
};

const struct protocol fddi_protocol = {
    .name = "fddi",
    .label = "FDDI",
    .title = N_("Fiber Distributed Data Interface"),
    .rfc = "RFC 1390",
    .fields = fields,
    .keys = keys,
    .least = HEADER,
    .dissect = dissect,
    .summary = summary,
};
