/* Teredo (RFC 4380): IPv6 over UDP through address translators. In front of the datagram there may be an authentication
 * and an origin indication: 5.1.1. */
#include "base/address.h"
#include "base/text.h"
#include "protocol/protocol.h"
#include "protocol/tlv.h"

enum { ORIGIN = 0, AUTHENTICATION = 1, ORIGIN_LENGTH = 8, AUTHENTICATION_LENGTH = 13, PORT = 2, ADDRESS = 4 };

static size_t indication_length(struct span run);
static uint64_t reveal_port(const struct place *place, uint64_t wire);
static uint64_t reveal_address(const struct place *place, uint64_t wire);

enum { ROW_ID_LENGTH = 1, ROW_VALUE_LENGTH, ROW_ID, ROW_VALUE, ROW_NONCE };
static const struct field authentication_fields[] = {
    { "teredo.auth.idlen", N_("Client identifier length"), FIELD_UINT, BYTE(2, 1), .role = ROLE_LENGTH,
      .counts = COUNTS_VALUES },
    { "teredo.auth.aulen", N_("Authentication value length"), FIELD_UINT, BYTE(3, 1), .role = ROLE_LENGTH,
      .counts = COUNTS_VALUES },
    { "teredo.auth.id", N_("Client identifier"), FIELD_BYTES, .after = ROW_VALUE_LENGTH, .sized = ROW_ID_LENGTH },
    { "teredo.auth.value", N_("Authentication value"), FIELD_BYTES, .after = ROW_ID, .sized = ROW_VALUE_LENGTH },
    { "teredo.auth.nonce", N_("Nonce"), FIELD_BYTES, BYTE(0, 8), .after = ROW_VALUE },
    { "teredo.auth.conf", N_("Confirmation"), FIELD_BYTES, BYTE(0, 1), .after = ROW_NONCE },
    { 0 },
};
static const struct field origin_fields[] = {
    { "teredo.orig.port", N_("Origin UDP port"), FIELD_UINT, BYTE(PORT, 2), .adjust = reveal_port },
    { "teredo.orig.addr", N_("Origin IPv4 address"), FIELD_IPV4, BYTE(ADDRESS, 4), .adjust = reveal_address },
    { 0 },
};
static const struct tlv indications[] = {
    { ORIGIN, "Origin indication", origin_fields },
    { AUTHENTICATION, "Authentication", authentication_fields },
    { 0xffff, "Unknown" },
    { 0 },
};
static const struct tlv_set indication_set = { .kind_size = 2, .measure = indication_length, .kinds = indications };

static const struct field fields[] = {
    { "teredo.indications", N_("Indications"), FIELD_TLVS, TO_END(0), .tlvs = &indication_set },
    { 0 },
};

/* So that no translator takes them for addresses to translate, they stand there with every bit turned. */
static uint64_t reveal_port(const struct place *place, uint64_t wire)
{
    (void)place;
    return wire ^ 0xffff;
}

static uint64_t reveal_address(const struct place *place, uint64_t wire)
{
    (void)place;
    return wire ^ UINT32_MAX;
}

static size_t indication_length(struct span run)
{
    if (run.left < 4)
        return 0;
    switch (load_be16(run.at)) {
    case ORIGIN:
        return ORIGIN_LENGTH;
    case AUTHENTICATION:
        return AUTHENTICATION_LENGTH + (size_t)run.at[2] + run.at[3];
    }
    return 0;
}

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    (void)packet;
    while (in->left && in->at[0] == 0) {
        size_t length = indication_length(*in), captured = in->left;
        if (!length || !span_pull(in, length)) {
            self->length += (uint32_t)captured;
            return captured >= 4 && (!length || self->offset + self->length + length > self->end) ? VERDICT_BROKEN
                                                                                                  : VERDICT_CUT;
        }
        self->length += (uint32_t)length;
    }
    if (in->left && in->at[0] >> 4 != 6)
        return VERDICT_BROKEN;
    *next = (struct key){ KEY_ETHERTYPE, 0x86dd, 0 };
    return VERDICT_WHOLE;
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    struct span run = layer_header(packet, layer);
    struct option option;
    const char *between = "";
    if (!run.left)
        buffer_text(out, "no indication");
    while (tlv_next(&indication_set, &run, &option)) {
        buffer_text(out, between);
        between = ", ";
        buffer_text(out, option.broken ? "cut short" : option.tlv->title);
        if (option.broken || option.tlv->kind != ORIGIN)
            continue;
        buffer_char(out, ' ');
        char *at = buffer_room(out, ADDRESS_TEXT);
        out->at = write_ipv4(at, load_be32(option.bytes.at + ADDRESS) ^ UINT32_MAX);
        buffer_char(out, ':');
        buffer_decimal(out, load_be16(option.bytes.at + PORT) ^ 0xffffu);
    }
}

static const struct key keys[] = {
    { KEY_UDP_PORT, 3544, 0 },
    { 0 },
};

const struct protocol teredo_protocol = {
    .name = "teredo",
    .label = "Teredo",
    .title = N_("Teredo IPv6 over UDP"),
    .rfc = "RFC 4380",
    .fields = fields,
    .keys = keys,
    .dissect = dissect,
    .summary = summary,
};
