/* PPP over Ethernet (RFC 2516): discovery, which tells in tags who offers what, and sessions, which carry PPP. Two
 * protocols of one header. */
#include "base/text.h"
#include "protocol/header.h"
#include "protocol/protocol.h"
#include "protocol/tlv.h"

enum { HEADER = 6, TAG = 4, LINK_PPP = 9 };

static const struct value_name codes[] = {
    { 0x00, "Session data" },
    { 0x07, "Offer" },
    { 0x09, "Initiation" },
    { 0x19, "Request" },
    { 0x65, "Session confirmation" },
    { 0xa7, "Terminate" },
    { 0, NULL },
};

static const struct field tag_common[] = {
    { "pppoed.tag", N_("Tag"), FIELD_UINT, BYTE(0, 2), .base = BASE_HEX },
    { "pppoed.tag_length", N_("Length"), FIELD_UINT, BYTE(2, 2), .role = ROLE_LENGTH },
    { 0 },
};
static const struct field tag_service[] = {
    { "pppoed.tags.service_name", N_("Service-Name"), FIELD_TEXT, TO_END(TAG) },
    { 0 },
};
static const struct field tag_concentrator[] = {
    { "pppoed.tags.ac_name", N_("AC-Name"), FIELD_TEXT, TO_END(TAG) },
    { 0 },
};
static const struct field tag_host[] = {
    { "pppoed.tags.host_uniq", N_("Host-Uniq"), FIELD_BYTES, TO_END(TAG) },
    { 0 },
};
static const struct field tag_cookie[] = {
    { "pppoed.tags.ac_cookie", N_("AC-Cookie"), FIELD_BYTES, TO_END(TAG) },
    { 0 },
};
static const struct field tag_vendor[] = {
    { "pppoed.tags.vendor_id", N_("Vendor ID"), FIELD_UINT, BYTE(TAG, 4) },
    { "pppoed.tags.vendor_unspecified", N_("Data"), FIELD_BYTES, TO_END(TAG + 4) },
    { 0 },
};
static const struct field tag_relay[] = {
    { "pppoed.tags.relay_session_id", N_("Relay-Session-Id"), FIELD_BYTES, TO_END(TAG) },
    { 0 },
};
static const struct field tag_payload[] = {
    /* RFC 4638 */
    { "pppoed.tags.max_payload", N_("Max-Payload"), FIELD_BYTES, TO_END(TAG) },
    { 0 },
};
static const struct field tag_service_error[] = {
    { "pppoed.tags.service_name_error", N_("Service-Name-Error"), FIELD_TEXT, TO_END(TAG) },
    { 0 },
};
static const struct field tag_system_error[] = {
    { "pppoed.tags.ac_system_error", N_("AC-System-Error"), FIELD_TEXT, TO_END(TAG) },
    { 0 },
};
static const struct field tag_generic_error[] = {
    { "pppoed.tags.generic_error", N_("Generic-Error"), FIELD_TEXT, TO_END(TAG) },
    { 0 },
};
static const struct field tag_other[] = {
    { "pppoed.tag.unknown_data", N_("Data"), FIELD_BYTES, TO_END(TAG) },
    { 0 },
};
static const struct tlv tags[] = {
    { 0x0000, "End-Of-List", .stop = true },
    { 0x0101, "Service-Name", tag_service },
    { 0x0102, "AC-Name", tag_concentrator },
    { 0x0103, "Host-Uniq", tag_host },
    { 0x0104, "AC-Cookie", tag_cookie },
    { 0x0105, "Vendor-Specific", tag_vendor },
    { 0x0110, "Relay-Session-Id", tag_relay },
    { 0x0120, "PPP-Max-Payload", tag_payload },
    { 0x0201, "Service-Name-Error", tag_service_error },
    { 0x0202, "AC-System-Error", tag_system_error },
    { 0x0203, "Generic-Error", tag_generic_error },
    { 0xffff, "Unknown", tag_other },
    { 0 },
};
static const struct tlv_set tag_set = {
    .kind_size = 2, .length_size = 2, .unit = 1, .included = 0, .common = tag_common, .kinds = tags
};

#define COMMON_ROWS                                                                                                    \
    { "pppoe.version", N_("Version"), FIELD_UINT, BITS(0, 4), .preset = 1 },                                           \
        { "pppoe.type", N_("Type"), FIELD_UINT, BITS(4, 4), .preset = 1 },                                             \
        { "pppoe.code", N_("Code"), FIELD_UINT, BYTE(1, 1), .base = BASE_HEX, .names = codes },                        \
        { "pppoe.session_id", N_("Session ID"), FIELD_UINT, BYTE(2, 2), .base = BASE_HEX },                            \
    {                                                                                                                  \
        "pppoe.payload_length", N_("Payload Length"), FIELD_UINT, BYTE(4, 2), .role = ROLE_LENGTH, .less = HEADER      \
    }

static const struct field discovery_fields[] = {
    COMMON_ROWS,
    { "pppoed.tags", N_("Tags"), FIELD_TLVS, TO_END(HEADER), .tlvs = &tag_set },
    { 0 },
};
static const struct field session_fields[] = {
    COMMON_ROWS,
    { 0 },
};

/* Takes the header off; NULL where it is cut short. */
static const uint8_t *take_header(struct layer *self, struct span *in)
{
    const uint8_t *h = header_take(self, in, HEADER);
    if (h && self->offset + HEADER + load_be16(h + 4) < self->end)
        self->end = self->offset + HEADER + load_be16(h + 4); /* the rest pads the frame */
    return h;
}

static enum verdict dissect_discovery(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    (void)packet, (void)next;
    const uint8_t *h = take_header(self, in);
    if (!h)
        return VERDICT_CUT;
    size_t length = load_be16(h + 4), wire = self->end - self->offset - HEADER;
    struct span run = span_part(*in, 0, length);
    self->length += (uint32_t)run.left;
    if (length > wire)
        return VERDICT_BROKEN;
    if (run.left < length)
        return VERDICT_CUT;
    struct option option;
    while (tlv_next(&tag_set, &run, &option))
        if (option.broken)
            return VERDICT_BROKEN;
    return VERDICT_WHOLE;
}

static enum verdict dissect_session(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    (void)packet;
    if (!take_header(self, in))
        return VERDICT_CUT;
    *next = (struct key){ KEY_LINK, LINK_PPP, 0 };
    return VERDICT_WHOLE;
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    struct span h = layer_header(packet, layer);
    if (h.left < HEADER) {
        buffer_text(out, "cut short");
        return;
    }
    const char *name = field_value_name(&session_fields[2], h.at[1]);
    buffer_text(out, name ? name : "code 0x");
    if (!name)
        buffer_hex(out, h.at[1], 2);
    if (load_be16(h.at + 2)) {
        buffer_text(out, ", session 0x");
        buffer_hex(out, load_be16(h.at + 2), 4);
    }
    struct span run = span_part(h, HEADER, h.left);
    struct option option;
    while (tlv_next(&tag_set, &run, &option))
        if (option.tlv->fields == tag_concentrator && !option.broken) {
            buffer_text(out, ", by ");
            buffer_escaped(out, option.bytes.at + TAG, option.bytes.left - TAG);
        }
}

static const struct key discovery_keys[] = {
    { KEY_ETHERTYPE, 0x8863, 0 },
    { 0 },
};
static const struct key session_keys[] = {
    { KEY_ETHERTYPE, 0x8864, 0 },
    { KEY_LINK, 51, 0 }, /* LINKTYPE_PPP_ETHER */
    { 0 },
};

const struct protocol pppoed_protocol = {
    .name = "pppoed",
    .label = "PPPoED",
    .title = N_("PPP over Ethernet, Discovery"),
    .rfc = "RFC 2516, 5",
    .fields = discovery_fields,
    .keys = discovery_keys,
    .least = HEADER,
    .dissect = dissect_discovery,
    .summary = summary,
};

const struct protocol pppoes_protocol = {
    .name = "pppoes",
    .label = "PPPoE",
    .title = N_("PPP over Ethernet, Session"),
    .rfc = "RFC 2516, 6",
    .fields = session_fields,
    .keys = session_keys,
    .least = HEADER,
    .dissect = dissect_session,
    .summary = summary,
};
