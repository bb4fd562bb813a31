/* Virtual LAN tags: IEEE 802.1Q customer tags and IEEE 802.1ad service tags, which are two protocols of the same shape.
 * They nest. */
#include "base/text.h"
#include "protocol/header.h"
#include "protocol/protocol.h"

enum { TAG = 4, LENGTH_MAX = 1500, TYPE_LLC = 4 }; /* as in Ethernet; 4: what the registry calls 802.2 */

static const struct when is_length[] = {
    { BITS(16, 16), 0, LENGTH_MAX },
    { 0 },
};
static const struct when is_type[] = {
    { BITS(16, 16), LENGTH_MAX + 1, 0xffff },
    { 0 },
};
static const struct when is_service_tag[] = {
    { BITS(16, 16), 0x88a8, 0x88a8 },
    { 0 },
};
static const struct when is_no_service_tag[] = {
    { BITS(16, 16), 0, 0x88a7 },
    { BITS(16, 16), 0x88a9, 0xffff },
    { 0 },
};

static const struct when is_whole[] = {
    { BITS(0, 16), 0, 0xffff },
    { 0 },
};

static const struct value_name priorities[] = {
    /* IEEE 802.1Q, table I-2 */
    { 0, "Best Effort" },           { 1, "Background" },      { 2, "Excellent Effort" },
    { 3, "Critical Applications" }, { 4, "Video" },           { 5, "Voice" },
    { 6, "Internetwork Control" },  { 7, "Network Control" }, { 0, NULL },
};

static const struct field customer_fields[] = {
    { "vlan.priority", N_("Priority"), FIELD_UINT, BITS(0, 3), .names = priorities, .when = is_whole },
    { "vlan.dei", N_("Drop eligible"), FIELD_BOOL, BITS(3, 1), .when = is_whole },
    { "vlan.id", N_("ID"), FIELD_UINT, BITS(4, 12) },
    { "vlan.etype", N_("Type"), FIELD_UINT, BYTE(2, 2), .base = BASE_HEX, .role = ROLE_NEXT, .when = is_type },
    { "vlan.len", N_("Length"), FIELD_UINT, BYTE(2, 2), .role = ROLE_LENGTH, .less = TAG, .when = is_length },
    { 0 },
};
static const struct field service_fields[] = {
    { "ieee8021ad.priority", N_("Priority"), FIELD_UINT, BITS(0, 3), .names = priorities, .when = is_whole },
    { "ieee8021ad.dei", N_("Drop eligible"), FIELD_BOOL, BITS(3, 1), .when = is_whole },
    { "ieee8021ad.svid", N_("Service VLAN ID"), FIELD_UINT, BITS(4, 12), .when = is_service_tag },
    { "ieee8021ad.id", N_("ID"), FIELD_UINT, BITS(4, 12), .when = is_no_service_tag },
    { "ieee8021ah.etype", N_("Type"), FIELD_UINT, BYTE(2, 2), .base = BASE_HEX, .role = ROLE_NEXT },
    { 0 },
};

/* What follows a customer tag may be a length instead of a type; a provider's network puts its tag on frames that have
 * a type already. */
static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    (void)packet;
    const uint8_t *h = span_pull(in, TAG);
    if (!h) {
        self->length = (uint32_t)in->left;
        return VERDICT_CUT;
    }
    self->length = TAG;
    uint16_t type = load_be16(h + 2);
    if (type <= LENGTH_MAX && self->protocol->fields == customer_fields) {
        if (self->offset + TAG + type < self->end)
            self->end = self->offset + TAG + type;
        type = TYPE_LLC;
    }
    *next = (struct key){ KEY_ETHERTYPE, type, 0 };
    return VERDICT_WHOLE;
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    const uint8_t *h = header_shown(packet, layer, TAG, out);
    if (!h)
        return;
    buffer_text(out, "id ");
    buffer_decimal(out, load_be16(h) & 0xfff);
    buffer_text(out, " priority ");
    buffer_decimal(out, h[0] >> 5);
    buffer_text(out, ", type 0x");
    buffer_hex(out, load_be16(h + 2), 4);
}

static const struct key customer_keys[] = {
    { KEY_ETHERTYPE, 0x8100, 0 },
    { KEY_ETHERTYPE, 0x9100, 0 }, /* what others sent before 802.1ad had a type */
    { 0 },
};
static const struct key service_keys[] = {
    { KEY_ETHERTYPE, 0x88a8, 0 },
    { 0 },
};

const struct protocol vlan_protocol = {
    .name = "vlan",
    .label = "VLAN",
    .title = N_("802.1Q Virtual LAN"),
    .rfc = "IEEE 802.1Q",
    .fields = customer_fields,
    .keys = customer_keys,
    .least = TAG,
    .carries = KEY_ETHERTYPE,
    .dissect = dissect,
    .summary = summary,
};

const struct protocol ieee8021ad_protocol = {
    .name = "ieee8021ad",
    .label = "802.1ad",
    .title = N_("802.1ad Service VLAN"),
    .rfc = "IEEE 802.1ad",
    .fields = service_fields,
    .keys = service_keys,
    .least = TAG,
    .carries = KEY_ETHERTYPE,
    .dissect = dissect,
    .summary = summary,
};
