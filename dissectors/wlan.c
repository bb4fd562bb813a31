/* Wireless LAN (IEEE 802.11, 9.2 and 9.3): the header of all frames as far as it says where its parts lie, and LLC in
 * data frames that are neither encrypted nor in pieces. */
#include "base/text.h"
#include "protocol/header.h"
#include "protocol/protocol.h"

enum {
    CONTROL = 2,
    LEAST = 10, /* control, duration, receiver */
    THREE = 24, /* and two more addresses, sequence */
    ADDRESS = 6,
    QOS = 2,
    PART = 14, /* in front of each frame of an aggregate */
    HT = 4,
    TYPE_DATA = 2,
    TYPE_CONTROL = 1,
    SUBTYPE_QOS = 8,
    SUBTYPE_NULL = 4,
    TO_DS = 1, /* of the second byte */
    FROM_DS = 2,
    MORE = 4,
    PROTECTED = 0x40,
    ORDER = 0x80,
    AGGREGATE = 0x80,      /* of QoS control: several frames, each with a header of its own */
    PADDED = LAYER_TOLD_1, /* the header before says that this one is filled up to a multiple of four */
    TYPE_LLC = 4,
};

static const struct value_name types[] = {
    { 0, "Management" }, { TYPE_CONTROL, "Control" }, { TYPE_DATA, "Data" }, { 3, "Extension" }, { 0, NULL },
};
static const struct when has_three[] = {
    { BITS(4, 2), 0, 0 },
    { BITS(4, 2), TYPE_DATA, TYPE_DATA },
    { 0 },
};

static const struct when is_control[] = {
    { BITS(4, 2), TYPE_CONTROL, TYPE_CONTROL },
    { 0 },
};
static const struct when has_two[] = {
    /* clear to send and acknowledgments have one address */
    { BITS(4, 2), 0, 0 },
    { BITS(4, 2), TYPE_DATA, 3 },
    { BITS(0, 4), 0, 11, is_control },
    { BITS(0, 4), 14, 15, is_control },
    { 0 },
};

static const struct field fields[] = {
    { "wlan.fc.version", N_("Version"), FIELD_UINT, BITS(6, 2) },
    { "wlan.fc.type", N_("Type"), FIELD_UINT, BITS(4, 2), .preset = TYPE_DATA, .names = types },
    { "wlan.fc.subtype", N_("Subtype"), FIELD_UINT, BITS(0, 4) },
    { "wlan.flags", N_("Flags"), FIELD_UINT, BYTE(1, 1), .base = BASE_HEX },
    { "wlan.fc.tods", N_("To the distribution system"), FIELD_BOOL, BITS(15, 1) },
    { "wlan.fc.fromds", N_("From the distribution system"), FIELD_BOOL, BITS(14, 1) },
    { "wlan.fc.frag", N_("More fragments"), FIELD_BOOL, BITS(13, 1) },
    { "wlan.fc.retry", N_("Retry"), FIELD_BOOL, BITS(12, 1) },
    { "wlan.fc.protected", N_("Protected"), FIELD_BOOL, BITS(9, 1) },
    { "wlan.duration", N_("Duration"), FIELD_UINT_LE, BYTE(2, 2) },
    { "wlan.ra", N_("Receiver address"), FIELD_MAC, BYTE(4, ADDRESS), .also = "wlan.addr" },
    { "wlan.ta", N_("Transmitter address"), FIELD_MAC, BYTE(10, ADDRESS), .also = "wlan.addr", .when = has_two },
    { "wlan.address3", N_("Third address"), FIELD_MAC, BYTE(16, ADDRESS), .when = has_three },
    { "wlan.seq_ctrl", N_("Fragment and sequence number"), FIELD_UINT_LE, BYTE(22, 2), .when = has_three },
    { "wlan.rest", N_("Fourth address, quality of service, high throughput"), FIELD_BYTES, TO_END(THREE),
      .flags = FIELD_HIDDEN, .when = has_three },
    { 0 },
};

static size_t header_length(const uint8_t *h)
{
    unsigned type = h[0] >> 2 & 3, subtype = h[0] >> 4;
    if (type == TYPE_CONTROL) /* clear to send and acknowledgments have one address */
        return subtype == 12 || subtype == 13 ? LEAST : LEAST + ADDRESS;
    size_t length = THREE;
    if (type == TYPE_DATA) {
        length += (h[1] & (TO_DS | FROM_DS)) == (TO_DS | FROM_DS) ? ADDRESS : 0;
        length += subtype & SUBTYPE_QOS ? QOS : 0;
    }
    if (h[1] & ORDER && (type == 0 || (type == TYPE_DATA && subtype & SUBTYPE_QOS)))
        length += HT;
    return length;
}

static bool carries_llc(const uint8_t *h)
{
    unsigned type = h[0] >> 2 & 3, subtype = h[0] >> 4;
    return type == TYPE_DATA && !(subtype & SUBTYPE_NULL) && !(h[1] & (MORE | PROTECTED)) && !(h[THREE - 2] & 15);
}

/* Several frames in one, each behind two addresses and its length: of those the first one is looked into. */
static bool is_aggregate(const uint8_t *h, size_t length)
{
    return h[0] >> 4 & SUBTYPE_QOS && h[length - (h[1] & ORDER ? HT : 0) - QOS] & AGGREGATE;
}

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    (void)packet;
    size_t captured = in->left;
    bool padded = self->flags & PADDED;
    self->flags &= (uint8_t)~PADDED;
    const uint8_t *h = span_peek(in, CONTROL);
    size_t length = h ? header_length(h) : CONTROL, filled = padded ? (length + 3) / 4 * 4 : length;
    if (!span_pull(in, filled)) {
        self->length = (uint32_t)captured;
        return VERDICT_CUT;
    }
    self->length = (uint32_t)filled;
    if (!carries_llc(h))
        return VERDICT_WHOLE;
    if (is_aggregate(h, length)) {
        const uint8_t *part = span_pull(in, PART);
        if (!part)
            return VERDICT_WHOLE;
        self->length += PART;
        uint32_t end = self->offset + self->length + load_be16(part + 2 * ADDRESS);
        self->end = end < self->end ? end : self->end;
    }
    *next = (struct key){ KEY_ETHERTYPE, TYPE_LLC, 0 };
    return VERDICT_WHOLE;
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    const uint8_t *h = header_shown(packet, layer, CONTROL, out);
    if (!h)
        return;
    buffer_text(out, field_value_name(&fields[1], h[0] >> 2 & 3));
    buffer_text(out, ", subtype ");
    buffer_decimal(out, h[0] >> 4);
    if (h[1] & PROTECTED)
        buffer_text(out, ", protected");
}

static const struct key keys[] = {
    { KEY_LINK, 105, 0 },
    { 0 },
};

const struct protocol wlan_protocol = {
    .name = "wlan",
    .label = "802.11",
    .title = N_("IEEE 802.11 wireless LAN"),
    .rfc = "IEEE 802.11",
    .fields = fields,
    .keys = keys,
    .least = LEAST,
    .dissect = dissect,
    .summary = summary,
};
