/* What OpenBSD's IPsec shows of packets before encryption and after decryption (LINKTYPE_ENC,
 * www.tcpdump.org/linktypes): an address family in the byte order of the machine that captured, a security association,
 * flags. */
#include "base/text.h"
#include "protocol/header.h"
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
    const uint8_t *h = header_take(self, in, HEADER);
    if (!h)
        return VERDICT_CUT;
    uint32_t number = family_of(h);
    if (number == AF_IPV4)
        *next = header_ip_key(in);
    else if (number == AF_IPV6)
        *next = (struct key){ KEY_ETHERTYPE, 0x86dd, 0 };
    return VERDICT_WHOLE;
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    const uint8_t *h = header_shown(packet, layer, HEADER, out);
    if (!h)
        return;
    buffer_text(out, "family ");
    buffer_decimal(out, family_of(h));
    buffer_text(out, ", SPI 0x");
    buffer_hex(out, load_be32(h + 4), 8);
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
