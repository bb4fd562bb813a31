/* Internet Group Management Protocol: hosts tell routers which multicast groups they want. Version 1 (RFC 1112,
 * appendix I), 2 (RFC 2236) and 3 (RFC 3376). */
#include "base/address.h"
#include "base/text.h"
#include "protocol/checksum.h"
#include "protocol/protocol.h"
#include "protocol/tlv.h"

enum {
    HEADER = 8,
    OLD_MAX = 0x0f,  /* messages of RFC 988, whose version is called 0 */
    OLD_LENGTH = 20, /* RFC 988, appendix I: of all of them */
    QUERY = 0x11,
    REPORT1 = 0x12,
    REPORT2 = 0x16,
    LEAVE = 0x17,
    REPORT3 = 0x22,
    QUERY3_LEAST = 12, /* RFC 3376, 7.1: a longer query is version 3 */
    RECORD = 8,        /* the fixed part of a group record: RFC 3376, 4.2.4 */
};

static bool version(const struct place *place, struct value *value);
static bool checksum_status(const struct place *place, struct value *value);
static size_t record_length(struct span run);

static const struct when is_query[] = {
    { BITS(0, 8), QUERY, QUERY },
    { 0 },
};
static const struct when has_response[] = {
    { BITS(0, 8), QUERY, QUERY },
    { BITS(0, 8), REPORT2, LEAVE },
    { 0 },
};
static const struct when is_igmp[] = {
    /* DVMRP, PIMv1, MSNIP and IGAP only borrow the number */
    { BITS(0, 8), 0, 0x12 }, { BITS(0, 8), 0x15, 0x22 }, { BITS(0, 8), 0x26, 0x3f }, { BITS(0, 8), 0x42, 255 }, { 0 },
};
/* Of a type that nobody knows not even a checksum is known. */
static const struct when has_checksum[] = {
    { BITS(0, 8), 0, OLD_MAX }, { BITS(0, 8), QUERY, REPORT1 },   { BITS(0, 8), REPORT2, LEAVE },
    { BITS(0, 8), 0x1e, 0x1f }, { BITS(0, 8), REPORT3, REPORT3 }, { 0 },
};
static const struct when is_old[] = {
    { BITS(0, 8), 0, OLD_MAX },
    { 0 },
};
static const struct when has_group[] = {
    { BITS(0, 8), 0x1e, 0x1f }, /* traceroutes */
    { BITS(0, 8), QUERY, REPORT1 },
    { BITS(0, 8), REPORT2, LEAVE },
    { 0 },
};
static const struct when is_report3[] = {
    { BITS(0, 8), REPORT3, REPORT3 },
    { 0 },
};

static const struct value_name types[] = {
    { QUERY, "Membership query" },
    { REPORT1, "Membership report v1" },
    { 0x13, "DVMRP" },
    { 0x14, "PIMv1" },
    { REPORT2, "Membership report v2" },
    { LEAVE, "Leave group" },
    { REPORT3, "Membership report v3" },
    { 0, NULL },
};

enum { ROW_RECORD_SOURCES = 3 };
static const struct field record_fields[] = {
    { "igmp.record_type", N_("Record Type"), FIELD_UINT, BYTE(0, 1) },
    { "igmp.aux_data_len", N_("Auxiliary data, in words"), FIELD_UINT, BYTE(1, 1) },
    { "igmp.num_src", N_("Number of Sources"), FIELD_UINT, BYTE(2, 2) },
    { "igmp.maddr", N_("Multicast Address"), FIELD_IPV4, BYTE(4, 4) },
    { "igmp.saddr", N_("Source Address"), FIELD_IPV4, BYTE(8, 4), .stride = 4, .times = ROW_RECORD_SOURCES },
    { 0 },
};
static const struct tlv records[] = {
    { 1, "Mode is include", record_fields },     { 2, "Mode is exclude", record_fields },
    { 3, "Changed to include", record_fields },  { 4, "Changed to exclude", record_fields },
    { 5, "Allow new sources", record_fields },   { 6, "Block old sources", record_fields },
    { 0xffff, "Unknown record", record_fields }, { 0 },
};
static const struct tlv_set record_set = { .kind_size = 1, .measure = record_length, .kinds = records };

static const struct field fields[] = {
    { "igmp.version", N_("Version"), FIELD_UINT, .read = version },
    { "igmp.type", N_("Type"), FIELD_UINT, BYTE(0, 1), .base = BASE_HEX, .preset = QUERY, .names = types,
      .when = is_igmp },
    { "igmp.max_resp", N_("Maximum response time"), FIELD_UINT, BYTE(1, 1), .when = has_response },
    { "igmp.checksum", N_("Checksum"), FIELD_UINT, BYTE(2, 2), .base = BASE_HEX, .role = ROLE_CHECKSUM,
      .when = has_checksum },
    { "igmp.checksum.status", N_("Checksum Status"), FIELD_UINT, .read = checksum_status,
      .names = checksum_status_names, .when = has_checksum },
    { "igmp.identifier", N_("Identifier"), FIELD_UINT, BYTE(4, 4), .when = is_old },
    { "igmp.maddr", N_("Multicast Address"), FIELD_IPV4, BYTE(8, 4), .when = is_old },
    { "igmp.access_key", N_("Access Key"), FIELD_BYTES, BYTE(12, 8), .when = is_old },
    { "igmp.maddr", N_("Multicast Address"), FIELD_IPV4, BYTE(4, 4), .when = has_group },
    { "igmp.s", N_("Suppress router-side processing"), FIELD_BOOL, BITS(68, 1), .flags = FIELD_ROOM, .when = is_query },
    { "igmp.qrv", N_("Querier's robustness"), FIELD_UINT, BITS(69, 3), .flags = FIELD_ROOM, .when = is_query },
    { "igmp.qqic", N_("Querier's query interval code"), FIELD_UINT, BYTE(9, 1), .flags = FIELD_ROOM, .when = is_query },
    { "igmp.num_src", N_("Number of Sources"), FIELD_UINT, BYTE(10, 2), .flags = FIELD_ROOM, .when = is_query },
    { "igmp.saddr", N_("Source Address"), FIELD_IPV4, BYTE(12, 4), .stride = 4, .flags = FIELD_MANY, .when = is_query },
    { "igmp.num_grp_recs", N_("Number of group records"), FIELD_UINT, BYTE(6, 2), .when = is_report3 },
    { "igmp.records", N_("Group records"), FIELD_TLVS, TO_END(8), .tlvs = &record_set, .when = is_report3 },
    { 0 },
};

/* RFC 3376, 7.1: queries show their version by their length and by a response time that version 1 did not have. */
static bool version(const struct place *place, struct value *value)
{
    value->u = 0;
    if (place->bytes.left && place->bytes.at[0] <= OLD_MAX)
        return true;
    if (place->bytes.left < 2)
        return false;
    switch (place->bytes.at[0]) {
    case QUERY:
        value->u = place->layer->end - place->layer->offset >= QUERY3_LEAST ? 3 : place->bytes.at[1] ? 2 : 1;
        return true;
    case REPORT1:
        value->u = 1;
        return true;
    case REPORT2:
    case LEAVE:
        value->u = 2;
        return true;
    case REPORT3:
        value->u = 3;
        return true;
    }
    return false;
}

static bool checksum_status(const struct place *place, struct value *value)
{
    if (place->bytes.left < 4)
        return false;
    struct layer layer = *place->layer;
    if (place->bytes.at[0] <= OLD_MAX) /* its checksum ends where the message does */
        layer.end = layer.offset + OLD_LENGTH;
    bool whole = layer.end <= place->layer->end && layer.end - layer.offset >= HEADER;
    value->u = whole ? checksum_verify_alone(place->packet, &layer) : CHECKSUM_UNVERIFIED;
    return true;
}

static size_t record_length(struct span run)
{
    return run.left < RECORD ? 0 : RECORD + 4u * load_be16(run.at + 2) + 4u * run.at[1];
}

/* RFC 3376, 4.2.11: what comes behind the last record that is counted is none of the report. */
static size_t report_length(struct span report)
{
    struct span run = span_part(report, HEADER, report.left);
    struct option record;
    for (unsigned left = load_be16(report.at + 6); left && tlv_next(&record_set, &run, &record); left--)
        if (record.broken)
            return report.left;
    return report.left - run.left;
}

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    (void)packet, (void)next;
    size_t all = self->end - self->offset;
    self->length = (uint32_t)(in->left > HEADER && in->at[0] == REPORT3 ? report_length(*in) : in->left);
    span_pull(in, self->length);
    return self->length + in->left < all ? VERDICT_CUT : all < HEADER ? VERDICT_BROKEN : VERDICT_WHOLE;
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    struct span h = layer_header(packet, layer);
    if (h.left < HEADER) {
        buffer_text(out, layer->verdict == VERDICT_BROKEN ? "too short" : "cut short");
        return;
    }
    const char *name = field_value_name(&fields[1], h.at[0]);
    buffer_text(out, name ? name : "type 0x");
    if (!name)
        buffer_hex(out, h.at[0], 2);
    if (h.at[0] == REPORT3) {
        buffer_text(out, ", groups ");
        buffer_decimal(out, load_be16(h.at + 6));
        return;
    }
    size_t group = h.at[0] <= OLD_MAX ? HEADER : HEADER / 2;
    if (h.left >= group + 4 && load_be32(h.at + group)) {
        buffer_text(out, " of ");
        char *at = buffer_room(out, ADDRESS_TEXT);
        out->at = write_ipv4(at, load_be32(h.at + group));
    }
}

static const struct key keys[] = {
    { KEY_IP, 2, 0 },
    { 0 },
};

const struct protocol igmp_protocol = {
    .name = "igmp",
    .label = "IGMP",
    .title = N_("Internet Group Management Protocol"),
    .rfc = "RFC 3376",
    .fields = fields,
    .keys = keys,
    .least = HEADER,
    .dissect = dissect,
    .summary = summary,
    .leaf = true,
};
