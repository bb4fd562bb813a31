/* What OpenBSD's IPsec shows of packets before encryption and after decryption (LINKTYPE_ENC,
 * www.tcpdump.org/linktypes): an address family in the byte order of the machine that captured, a security association,
 * flags. */
#include "base/text.h"
#include "protocol/protocol.h"

enum { HEADER = 12, AF_IPV4 = 2, AF_IPV6 = 24 /* as OpenBSD has them */ };

static bool family(const struct place *place, struct value *value);

static const struct value_name families[] = { { AF_IPV4, "IPv4" }, { AF_IPV6, "IPv6" }, { 0, NULL } };

static const struct field fields[] = {
    { "enc.af", N_("Address Family"), FIELD_UINT_LE, BYTE(0, 4), .preset = AF_IPV4, .read = family, .names = families },
    { "enc.spi", N_("Security Parameters Index"), FIELD_UINT, BYTE(4, 4), .base = BASE_HEX },
    { "enc.flags", N_("Flags"), FIELD_UINT, BYTE(8, 4), .base = BASE_HEX },
    { 0 },
};

/* A family is a small number, so the order shows. */
static uint32_t family_of(const uint8_t *h)
{
    uint32_t number = load_le32(h);
    return number > 0xffff ? load_be32(h) : number;
}

static bool family(const struct place *place, struct value *value)
{
    if (place->bytes.left < 4)
        return false;
    *value = (struct value){ .bytes = span_part(place->bytes, 0, 4), .width = 32 };
    value->u = family_of(place->bytes.at);
    return true;
}

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    (void)packet;
    size_t captured = in->left;
    const uint8_t *h = span_pull(in, HEADER);
    if (!h) {
        self->length = (uint32_t)captured;
        return VERDICT_CUT;
    }
    self->length = HEADER;
    uint32_t number = family_of(h);
    if (number == AF_IPV4) /* some say so of both versions */
        *next = (struct key){ KEY_ETHERTYPE, in->left && in->at[0] >> 4 == 6 ? 0x86dd : 0x0800, 0 };
    else if (number == AF_IPV6)
        *next = (struct key){ KEY_ETHERTYPE, 0x86dd, 0 };
    return VERDICT_WHOLE;
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    struct span h = layer_header(packet, layer);
    if (h.left < HEADER) {
        buffer_text(out, "cut short");
        return;
    }
    buffer_text(out, "family ");
    buffer_decimal(out, family_of(h.at));
    buffer_text(out, ", SPI 0x");
    buffer_hex(out, load_be32(h.at + 4), 8);
}

static const struct key keys[] = {
    { KEY_LINK, 109, 0 },
    { 0 },
};

const struct protocol enc_protocol = {
    .name = "enc",
    .label = "ENC",
    .title = N_("OpenBSD encapsulating device"),
    .rfc = "LINKTYPE_ENC",
    .fields = fields,
    .keys = keys,
    .least = HEADER,
    .dissect = dissect,
    .summary = summary,
};
